"""A task's timeline in pages, its output, and how to attach to its agent."""

from __future__ import annotations

import shlex
from typing import Any

from flask import Response

from shared import tasks, timeline
from shared.store.models import Task
from web import answers, effects, event_text, views
from web.api import results, schemas
from web.bodies import body_optional
from web.resource import Resource
from web.security import Authority, authority
from web.services import services

api = Resource("events", __name__)

MOST_EVENTS = 1000
#: Between two looks of a long poll, should a bell be lost.
LOOK_SECONDS = 1.0
RESUME = {
    "claude-code": "claude --resume {}",
    "codex": "codex resume --include-non-interactive {}",
}
#: What an agent's program must be told to find the same session.
HOMES = {"claude-code": "CLAUDE_CONFIG_DIR", "codex": "CODEX_HOME"}


@api.get("/tasks/<id>/events", responses={200: results.Listed[results.Event]})
@authority(Authority.CLIENT)
def list_events(path: schemas.ById, query: schemas.EventPage) -> Response:
    """Events ascending by seq; `wait` answers as soon as there is one."""
    task = tasks.get(path.id)
    limit = min(query.limit, MOST_EVENTS)

    def look() -> list[tuple[int, str]] | None:
        return _page(task, query, limit) or None

    found = effects.until(look, query.wait, LOOK_SECONDS) or []
    kept = _within(found, from_end=query.before is not None)
    more = query.before is None and (len(found) == limit or len(kept) < len(found))
    return answers.array([text for _, text in kept], {"after": kept[-1][0]} if more else None)


def _page(task: Task, query: schemas.EventPage, limit: int) -> list[tuple[int, str]]:
    if not (query.before or query.kind or query.category or query.q) and query.before is None:
        return event_text.after(task.number, task.id, query.after, limit)
    rows = timeline.page(
        task,
        after=query.after,
        before=query.before,
        limit=limit,
        kind=query.kind,
        category=query.category,
        text=query.q,
    )
    return [(row.seq, event_text.encode_model(task.id, row)) for row in rows]


def _within(found: list[tuple[int, str]], *, from_end: bool) -> list[tuple[int, str]]:
    """As much of a page as one answer may hold, from its beginning or its end."""
    kept: list[tuple[int, str]] = []
    left = answers.ANSWER_BYTES
    for item in reversed(found) if from_end else found:
        left -= len(item[1])
        if kept and left < 0:
            break
        kept.append(item)
    return kept[::-1] if from_end else kept


@api.get("/tasks/<id>/runner/logs", responses={200: results.Logs})
@authority(Authority.CLIENT)
def logs(path: schemas.ById) -> Response:
    """All output, and what was said about runner and session."""
    task = tasks.get(path.id)
    found = event_text.runner_logs(task, answers.ANSWER_BYTES)
    head = {
        "task_id": task.id,
        "runner": task.runner,
        "session_id": task.runner_session_id,
        "message": f"{len(found)} events of the runner {task.runner}.",
    }
    return answers.text(views.with_events(head, found))


@api.post("/tasks/<id>/runner/attach", responses={200: results.Attach})
@authority(Authority.CLIENT)
@body_optional
def attach(path: schemas.ById, body: schemas.NothingNeeded) -> Response:
    """The terminal command that opens the agent's session, and where to type it."""
    task = tasks.get(path.id)
    command, message = attachment(task)
    return answers.value(
        {
            "task_id": task.id,
            "runner": task.runner,
            "session_id": task.runner_session_id,
            "supported": command is not None,
            "command": command,
            "message": message,
            "cwd": task.execution_workspace or task.workspace,
            "env": _home_of(task),
        }
    )


def attachment(task: Task) -> tuple[str | None, str]:
    """The command that opens the agent's session, None where there is none, and a sentence about it."""
    form = RESUME.get(task.runner)
    if form is None:
        return None, f"A {task.runner} task has no session to attach to; use its reply box."
    if not task.runner_session_id:
        return None, "The agent has not told its session yet; start the task first."
    return form.format(shlex.quote(task.runner_session_id)), "Type this in the folder given as cwd."


def _home_of(task: Task) -> dict[str, Any]:
    name = HOMES.get(task.runner, "")
    found = services().config.environment.get(name)
    return {name: found} if found else {}
