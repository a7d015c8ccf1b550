"""Answers that wait a moment for their effect: 200 with it, 202 with what is pending (rule 5)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from flask import Response

from shared import commands, fleet, tasks
from shared.agents import trust
from shared.commands import CommandKind
from shared.errors import Refused
from shared.lifecycle import Status
from shared.review import landings
from shared.store.models import Attempt, Command, Task
from web import answers, views
from web.services import services

T = TypeVar("T")
#: How long an answer waits for a task's own state, and for work on its repository (contract 5).
STEER_SECONDS = 2.0
WORK_SECONDS = 10.0
#: Between two looks when no bell rings; one look is one primary-key read.
LOOK_SECONDS = 0.02
#: Who has waited long looks rarely, rings or not: an eighth of the wait so far, up to this. Fifty starts at once
#: would otherwise spend more on looking than on starting.
REST_SECONDS = 0.1
REST_SHARE = 1 / 8


def until(look: Callable[[], T | None], seconds: float, every: float = LOOK_SECONDS) -> T | None:
    """The first value of `look` that is not None, or None when the time is up or the process ends."""
    hub, began = services().hub, time.monotonic()
    while True:
        found = look()
        looked_at = time.monotonic()
        left = began + seconds - looked_at
        if found is not None or left <= 0 or hub.stopping.is_set():
            return found
        rest = min(REST_SECONDS, REST_SHARE * (looked_at - began), left)
        hub.wait(min(left, max(every, rest)))
        if (early := looked_at + rest - time.monotonic()) > 0:
            hub.stopping.wait(early)


def finished(command: Command, seconds: float) -> Command:
    """The command, ended if it did so in time; without a worker nobody is waited for."""
    if not fleet.live_workers():
        seconds = 0

    def ended() -> Command | None:
        found: Command = Command.get_by_id(command.id)
        return found if found.finished_at is not None else None

    return until(ended, seconds) or command


def carried_out(command: Command, seconds: float) -> Command:
    """What `finished` answers; raises what the worker refused the command with."""
    command = finished(command, seconds)
    raise_refusal(command)
    return command


def gone(command: Command) -> bool:
    """Whether a deletion went through in time: a command that is gone went with its task. Raises what refused it."""

    def look() -> bool | None:
        found = Command.get_or_none(Command.id == command.id)
        if found is not None:
            raise_refusal(found)
        return True if found is None or found.finished_at is not None else None

    return bool(until(look, WORK_SECONDS if fleet.live_workers() else 0))


def raise_refusal(command: Command) -> None:
    """Raise what the worker refused the command with; an ignored or expired command is a Conflict."""
    if command.finished_at is None or command.state in (commands.State.APPLIED, commands.State.REDIRECTED):
        return
    told: dict[str, Any] = dict(command.result or {})
    status = int(told.pop("status", 409))
    detail = str(told.pop("detail", None) or "The task changed meanwhile; look at it and try again.")
    title, slug = told.pop("title", "Wrong state"), told.pop("slug", "conflict")
    refusal = Refused(detail, **told)
    refusal.status, refusal.title, refusal.slug = status, title, slug
    raise refusal


def request_start(task: Task, *, resume: bool = False) -> Attempt:
    """A new attempt, once a worker has looked for what would configure its agent; raises as `tasks.request_start`.

    Without an answer in time it is queued all the same: the worker that starts it looks again.
    """
    if trust.concerns(task) and task.live_attempt is None:
        finished(landings.request_work(task, CommandKind.LOOK), STEER_SECONDS)
    return tasks.request_start(task, resume=resume)


def started(task: Task, attempt: Attempt, **extra: Any) -> Response:
    """The answer to a start: its own transition, never a later one."""

    moved = left_queue(attempt)
    if moved is not None and moved.worker is not None:
        return answers.task(tasks.get(task.id), shown_as(Status.RUNNING, None, **extra))
    pending = views.queued_start(attempt)
    return answers.task(tasks.get(task.id), shown_as(Status.QUEUED, pending, **extra), status=202)


def left_queue(attempt: Attempt) -> Attempt | None:
    """The attempt once it has left the queue; None when that takes longer, or no slot is free."""

    def look() -> Attempt | None:
        found: Attempt = Attempt.get_by_id(attempt.id)
        return found if found.status is not Status.QUEUED else None

    return until(look, STEER_SECONDS if _has_free_slot() else 0)


def _has_free_slot() -> bool:
    running = Attempt.select().where(Attempt.status == Status.RUNNING, Attempt.finished_at.is_null()).count()
    return bool(fleet.live_workers()) and running < services().config.max_attempts


def applied(task: Task, command: Command, status: Status | None, **extra: Any) -> Response:
    """The answer to a steering command: the task as the effect left it, or 202 when it takes longer."""
    command = carried_out(command, STEER_SECONDS)
    if command.finished_at is None:
        return answers.task(
            tasks.get(task.id), {"pending_command": views.command(command), **extra}, status=202
        )
    told = {key: value for key, value in (command.result or {}).items() if key == "delivery"}
    #: A redirected reply went into a new attempt, whose state is its own.
    if status is None or command.state == commands.State.REDIRECTED:
        return answers.task(tasks.get(task.id), {**extra, **told})
    return answers.task(tasks.get(task.id), shown_as(status, None, **extra, **told))


def replied(task: Task, accepted: Command | Attempt) -> Response:
    """The answer to a reply: delivered to the live agent, queued, or in an attempt that resumes its session."""
    if isinstance(accepted, Attempt):
        return started(task, accepted, delivery="session-resume")
    if accepted.body.get("mode") == "queue":
        return answers.task(tasks.get(task.id), {"delivery": "queued", "reply_id": accepted.id})
    return applied(task, accepted, Status.RUNNING)


def shown_as(status: Status, pending: views.View | None, **extra: Any) -> views.View:
    """The fields that state a request's own transition, over whatever came after it."""
    changed = {"status": status, "pending_command": pending, **extra}
    return changed if status is Status.QUEUED else {**changed, "attention": None, "queue_position": None}
