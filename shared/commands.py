"""Accepted commands: a row before the answer, and one end each — applied, ignored, expired, refused or redirected."""

from __future__ import annotations

import time
from collections.abc import Mapping
from enum import StrEnum
from typing import Any
from uuid import uuid4

from shared import audit
from shared.clock import from_micros, now, to_micros
from shared.doorbell import Bell, ring
from shared.errors import NotFound
from shared.store.database import transaction
from shared.store.models import INSERTED, Attempt, Command, Task

#: How often a waiting request looks at its row; the answer is one primary-key read.
LOOK_SECONDS = 0.005
#: A command nobody took for this long is rung again (broker.md 3).
QUIET_SECONDS = 2.0


class CommandKind(StrEnum):
    """What a worker can be asked; `start` is not among them: a queued attempt asks for itself."""

    REPLY = "reply"
    CLOSE_INPUT = "close-input"
    INTERRUPT = "interrupt"
    MODE = "mode"
    STOP = "stop"
    DECIDE = "decide"
    LOOK = "look"
    CAPTURE = "capture"
    FILE = "file"
    COMPARE = "compare"
    PREVIEW = "preview"
    MERGE = "merge"
    CLEANUP = "cleanup"
    UNDO = "undo"
    UNDO_PREVIEW = "undo-preview"
    VERIFY = "verify"
    REBASE = "rebase"
    PUSH = "push"
    PUSH_PREVIEW = "push-preview"
    DELETE = "delete"


class State(StrEnum):
    ACCEPTED = "accepted"
    TAKEN = "taken"
    APPLIED = "applied"
    IGNORED = "ignored"
    EXPIRED = "expired"
    REFUSED = "refused"
    REDIRECTED = "redirected"


#: These are carried out inside the attempt's supervision; the others by any worker.
STEERING = frozenset(
    {
        CommandKind.REPLY,
        CommandKind.CLOSE_INPUT,
        CommandKind.INTERRUPT,
        CommandKind.MODE,
        CommandKind.STOP,
        CommandKind.DECIDE,
    }
)
#: While one of these is open the worktree is its own: no attempt may start in it.
EXCLUSIVE = frozenset(
    {
        CommandKind.MERGE,
        CommandKind.CLEANUP,
        CommandKind.UNDO,
        CommandKind.REBASE,
        CommandKind.PUSH,
        CommandKind.DELETE,
    }
)
OPEN = (State.ACCEPTED, State.TAKEN)
#: These change nothing, or are recorded in the audit log by the decision they deliver.
UNRECORDED = frozenset(
    {
        CommandKind.LOOK,
        CommandKind.CAPTURE,
        CommandKind.FILE,
        CommandKind.COMPARE,
        CommandKind.PREVIEW,
        CommandKind.UNDO_PREVIEW,
        CommandKind.PUSH_PREVIEW,
        CommandKind.DECIDE,
    }
)


def accept(
    task: Task,
    kind: CommandKind,
    body: Mapping[str, Any] | None = None,
    attempt: Attempt | None = None,
    id: str | None = None,
) -> Command:
    """Record a command inside the caller's transaction, and ring for it after the commit."""
    at = now()
    command = Command.create(
        id=id or str(uuid4()),
        task=task.number,
        attempt=attempt.id if attempt else None,
        kind=kind,
        body=dict(body or {}),
        accepted_at=at,
        rung_at=at,
    )
    if kind not in UNRECORDED:
        audit.record(
            kind, "task", task.id, command=command.id, attempt=command.attempt, **_told(command.body)
        )
    ring(bell_of(kind), command.id, attempt.worker if attempt else None)
    return command


def _told(body: Mapping[str, Any]) -> dict[str, Any]:
    """What the audit log keeps of a command: of a message its length, because a deleted task's words must be gone."""
    known = {name: value for name, value in body.items() if name not in ("message", "pull_request")}
    if "pull_request" in body:
        known["pull_request"] = True
    return known if "message" not in body else {**known, "characters": len(body["message"] or "")}


def bell_of(kind: str) -> Bell:
    """Steering reaches the attempt's owner; the rest is anybody's work."""
    return Bell.COMMAND if kind in STEERING else Bell.WORK


def take(command_id: str, worker: str) -> Command | None:
    """Claim a command for this worker; None when it is taken or finished."""
    with transaction():
        taken = (
            Command.update(state=State.TAKEN, worker=worker, taken_at=now())
            .where(Command.id == command_id, Command.state == State.ACCEPTED)
            .execute()
        )
        return Command.get_by_id(command_id) if taken else None


def finish(command_id: str, state: State, result: Mapping[str, Any] | None = None) -> bool:
    """End an open command; False when it has already ended."""
    with transaction():
        ended = (
            Command.update(state=state, result=dict(result or {}), finished_at=now())
            .where(Command.id == command_id, Command.state.in_(OPEN))
            .execute()
        )
        ring(Bell.CHANGE)
        return bool(ended)


def keep_result(command_id: str, result: Mapping[str, Any]) -> None:
    """Note what an open command has achieved, in the transaction that achieves it: whoever takes it up again finds it."""
    Command.update(result=dict(result)).where(Command.id == command_id, Command.state.in_(OPEN)).execute()


def release(worker: str, command_id: str | None = None) -> int:
    """Put a dead worker's taken commands back, or the one that a living worker does not carry out any more."""
    which = (Command.state == State.TAKEN) & (Command.worker == worker)
    if command_id is not None:
        which &= Command.id == command_id
    with transaction():
        return int(Command.update(state=State.ACCEPTED, worker=None).where(which).execute())


def set_aside_replies(attempt: Attempt) -> None:
    """A reply the ended agent never took is kept, without an attempt: a worker resumes the session with it."""
    if attempt.runner == "shell":
        return
    left = Command.select().where(
        Command.attempt == attempt.id, Command.kind == CommandKind.REPLY, Command.finished_at.is_null()
    )
    for command in left:
        Command.update(attempt=None, state=State.ACCEPTED, worker=None).where(
            Command.id == command.id
        ).execute()
        ring(Bell.COMMAND, command.id)


def expire_for(attempt_id: str) -> None:
    """End every open steering command of an attempt that has ended."""
    Command.update(
        state=State.EXPIRED, result={"detail": "The attempt ended before this arrived."}, finished_at=now()
    ).where(Command.attempt == attempt_id, Command.state.in_(OPEN), Command.kind.in_(STEERING)).execute()


def waiting_for(attempt_ids: list[str]) -> list[Command]:
    """Accepted steering commands of these attempts, oldest first."""
    return list(
        Command.select()
        .where(Command.attempt.in_(attempt_ids), Command.state == State.ACCEPTED, Command.kind.in_(STEERING))
        .order_by(INSERTED)
    )


def pending(task: Task) -> Command | None:
    """The newest command of a task that has not ended."""
    query = Command.select().where(Command.task == task.number, Command.finished_at.is_null())
    return query.order_by(INSERTED.desc()).first()


def open_work(task: Task) -> list[Command]:
    """The task's commands for its repository that have not ended, oldest first."""
    query = Command.select().where(
        Command.task == task.number, Command.finished_at.is_null(), Command.kind.not_in(list(STEERING))
    )
    return list(query.order_by(INSERTED))


def wait(command_id: str, timeout_seconds: float) -> Command:
    """The command once it has ended, or as it stands when the time is up; raises NotFound if its task is deleted."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        command = Command.get_or_none(Command.id == command_id)
        if command is None:
            raise NotFound("The command is gone: its task was deleted.")
        if command.finished_at is not None or time.monotonic() >= deadline:
            return command
        time.sleep(LOOK_SECONDS)


def ring_again() -> int:
    """Ring for every accepted command that stayed quiet, or was rung before the clock went back; returns how many."""
    quiet = from_micros(to_micros(now()) - int(QUIET_SECONDS * 1_000_000))
    unheard = (Command.rung_at < quiet) | (Command.rung_at > now())
    found = list(Command.select().where(Command.state == State.ACCEPTED, unheard).limit(500))
    for command in found:
        Command.update(rung_at=now()).where(Command.id == command.id).execute()
        ring(bell_of(command.kind), command.id)
    return len(found)
