"""Tasks: the list, one of them, new ones, and those put away."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from typing import Any

from flask import Response, request

from shared import amending, archive, creation, deletion, fleet, task_place, tasks, workspaces
from shared.agents import adoption, sessions
from shared.agents import options as agent_options
from shared.agents.sessions import Session
from shared.clock import from_micros, to_micros
from shared.errors import BadRequest, Forbidden, WrongShape
from shared.store.models import Task
from web import answers, effects, event_text, idempotency, views
from web.api import results, schemas
from web.api.sessions import looked_for
from web.bodies import body_optional
from web.reading import snapshot
from web.resource import Resource
from web.security import Authority, authority, credential
from web.services import services

api = Resource("tasks", __name__)

MOST_TASKS = 500
OPTIONS = (
    "verify",
    "verify_mode",
    "verify_seconds",
    "checks",
    "env",
    "depends_on",
    "pty",
    task_place.OPTION,
    *agent_options.NAMES,
)
CURSOR = re.compile(r"([0-9]{1,18}):([0-9]{1,18})")


@api.get("/tasks", responses={200: results.Listed[results.Task]})
@authority(Authority.CLIENT)
def list_tasks(query: schemas.TaskList) -> Response:
    """Tasks by last change, newest first; `Link: rel=next` leads on."""
    limit = min(query.limit, MOST_TASKS)
    with snapshot():
        rows = list(_selected(query).limit(limit + 1))
        more = len(rows) > limit
        rows = rows[:limit]
        texts = _texts(rows, schemas.count(query.events))
    more = more or len(texts) < len(rows)
    return answers.array(texts, {"cursor": _cursor(rows[len(texts) - 1])} if more else None)


def _texts(rows: list[Task], events: int | None) -> list[str]:
    """As many tasks as fit into one answer; the first always does, without events if need be."""
    texts: list[str] = []
    left = answers.ANSWER_BYTES
    for row, view in zip(rows, views.task_views(rows), strict=True):
        view["events_truncated"] = truncated = events is not None and events < row.last_seq
        text = views.text(view)
        if texts and len(text) > left:
            break
        left -= len(text)
        found, used = event_text.latest(row, events, max(0, left)) if events != 0 else ([], 0)
        left -= used
        if not truncated and len(found) < row.last_seq:
            text = views.text({**view, "events_truncated": True})
        texts.append(views.splice(text, found))
    return texts


def _selected(query: schemas.TaskList) -> Any:
    found = Task.select().order_by(Task.updated_at.desc(), Task.number.desc())
    found = found.where(Task.archived_at.is_null(not query.archived))
    if statuses := query.statuses():
        found = found.where(Task.status.in_(statuses))
    if query.workspace:
        found = found.where(Task.workspace == query.workspace)
    if query.runner:
        found = found.where(Task.runner == query.runner)
    if query.q:
        wanted = (
            Task.title.contains(query.q) | Task.prompt.contains(query.q) | Task.id.startswith(query.q.lower())
        )
        found = found.where(wanted)
    if query.cursor:
        at, number = _position(query.cursor)
        found = found.where(
            (Task.updated_at < from_micros(at))
            | ((Task.updated_at == from_micros(at)) & (Task.number < number))
        )
    return found


def _cursor(row: Task) -> str:
    text = f"{to_micros(row.updated_at)}:{row.number}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _position(cursor: str) -> tuple[int, int]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        match = CURSOR.fullmatch(text)
        if match:
            from_micros(int(match.group(1)))
            return int(match.group(1)), int(match.group(2))
    except (binascii.Error, ValueError, OverflowError):
        pass
    raise BadRequest("The cursor is not one of ours; take it from the Link header.")


@api.get("/tasks/<id>", responses={200: results.Task})
@authority(Authority.CLIENT)
def show(path: schemas.ById, query: schemas.OneTask) -> Response:
    """One task with its newest events and all its attempts."""
    task = tasks.get(path.id)
    return answers.text(answers.task_text(task, events=schemas.count(query.events)))


@api.post("/tasks", responses={200: results.Task})
@authority(Authority.CLIENT)
def create(body: schemas.NewTask) -> Response:
    """Record a task; `Idempotency-Key` makes a repeated request give the same one."""
    new, home = wanted(body), services().home
    session = _taken_up(body.session_id) if body.session_id else None
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return answers.task(adoption.create(new, home, session))
    workspaces.resolve(new.workspace, home)  # a slow disk must not hold the store's write lock below
    return answers.task(idempotency.once(key, body_digest(), lambda: adoption.create(new, home, session)))


def body_digest() -> str:
    """What tells one body from another, however it is spaced."""
    return hashlib.sha256(json.dumps(request.get_json(), sort_keys=True).encode()).hexdigest()


def wanted(body: schemas.NewTask) -> creation.NewTask:
    """The task a body asks for; raises WrongShape for a runner or tasks there are not."""
    if fleet.runner(body.runner) is None:
        raise WrongShape(f"runner: there is no runner {body.runner!r}.", field="runner")
    given = body.model_dump(exclude_unset=True)
    options = {name: given[name] for name in OPTIONS if given.get(name) is not None}
    _require_tasks(options.get("depends_on", []))
    return creation.NewTask(
        title=body.title,
        prompt=body.prompt,
        runner=body.runner,
        command=body.command,
        workspace=body.workspace,
        budget_minutes=body.budget_minutes,
        policy=given.get("policy"),
        preset=body.preset,
        priority=body.priority or 0,
        labels=tuple(body.labels or ()),
        base_ref=body.base_ref or None,
        target_branch=body.target_branch or None,
        options=options,
        within_workspace=not credential().is_person,
    )


def _taken_up(session_id: str) -> Session:
    """The agent session a task is to go on with; what was said in it is the person's."""
    if not credential().is_person:
        raise Forbidden("Only the person may go on with a session of theirs.")
    return looked_for(lambda: sessions.find(session_id))


@api.patch("/tasks/<id>", responses={200: results.Task})
@authority(Authority.OWNER)
def change(path: schemas.ById, body: schemas.TaskChange) -> Response:
    """Another title, labels or priority at any time, another policy before the first start; then 409."""
    given = body.model_dump(exclude_unset=True)
    return answers.task(
        amending.amend(
            tasks.get(path.id),
            title=body.title,
            labels=body.labels,
            priority=body.priority,
            preset=body.preset,
            policy_keys=given.get("policy"),
        )
    )


def _require_tasks(ids: list[str]) -> None:
    for id in ids:
        try:
            tasks.get(id)
        except BadRequest:
            raise WrongShape(f"depends_on: {id!r} is not a task's id.", field="depends_on") from None


@api.post("/tasks/<id>/archive", responses={200: results.Task})
@authority(Authority.OWNER)
@body_optional
def set_archived(path: schemas.ById, body: schemas.Archive) -> Response:
    """Leave the task out of lists, or with `archived: false` put it back."""
    return answers.task(archive.set_archived(tasks.get(path.id), body.archived is not False))


@api.delete("/tasks/<id>", responses={202: results.Deleting, 204: None})
@authority(Authority.OWNER)
def delete(path: schemas.ById) -> Response:
    """Take the task out of every list, to be put back within 30 days; 409 while it is live or has a worktree."""
    command = deletion.request(tasks.get(path.id))
    if effects.gone(command):
        return Response(status=204)
    return answers.value({"task_id": path.id, "pending_command": views.command(command)}, 202)
