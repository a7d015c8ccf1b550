"""Whether a task's changes would land, landing them, and removing its worktree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Response
from pydantic import BaseModel

from shared import tasks
from shared.commands import CommandKind
from shared.review import landings
from shared.store.models import Command, Task
from web import answers, effects, views
from web.api import results, schemas
from web.bodies import body_optional
from web.resource import Resource
from web.security import Authority, authority

api = Resource("review", __name__)

#: Of a push's result beside its message; null where there is none.
PUSHED = ("pushed", "compare_url", "pull_request_url", "pull_request_refused")


@api.post("/tasks/<id>/worktree/preview", responses={200: results.Looked, 202: results.Looked})
@authority(Authority.CLIENT)
@body_optional
def preview(path: schemas.ById, body: schemas.Merge) -> Response:
    """Whether the task's changes would land, and what stands in the way."""
    return _looked(path, CommandKind.PREVIEW, body)


@api.post("/tasks/<id>/worktree/merge", responses={200: results.Landed, 202: results.Landed})
@authority(Authority.OWNER)
@body_optional
def merge(path: schemas.ById, body: schemas.Merge) -> Response:
    """Land the task's changes on its target branch."""
    return _landed(path, CommandKind.MERGE, body, "The landing")


@api.post("/tasks/<id>/worktree/cleanup", responses={200: results.Landed, 202: results.Landed})
@authority(Authority.OWNER)
@body_optional
def cleanup(path: schemas.ById, body: schemas.Cleanup) -> Response:
    """Remove the task's worktree; 409 when unmerged work would go, unless forced."""
    return _landed(path, CommandKind.CLEANUP, schemas.Cleanup(force=bool(body.force)), "The cleanup")


@api.post("/tasks/<id>/worktree/rebase", responses={200: results.Landed, 202: results.Landed})
@authority(Authority.OWNER)
@body_optional
def rebase(path: schemas.ById, body: schemas.Rebase) -> Response:
    """Bring the task's work onto the tip of its target branch."""
    return _landed(path, CommandKind.REBASE, body, "The rebase")


@api.post("/tasks/<id>/push/preview", responses={200: results.Looked, 202: results.Looked})
@authority(Authority.OWNER)
@body_optional
def push_preview(path: schemas.ById, body: schemas.Push) -> Response:
    """What a push would send where, and by which commands; nothing changes."""
    return _looked(path, CommandKind.PUSH_PREVIEW, body)


@api.post("/tasks/<id>/push", responses={200: results.Pushed, 202: results.Pushed})
@authority(Authority.OWNER)
@body_optional
def push(path: schemas.ById, body: schemas.Push) -> Response:
    """Push the task's work, or what it landed as, to a branch of a remote; a pull request where one is asked for."""
    return _landed(path, CommandKind.PUSH, body, "The push", told=PUSHED)


@api.post("/tasks/<id>/verify", responses={200: results.Looked, 202: results.Looked})
@authority(Authority.OWNER)
@body_optional
def verify(path: schemas.ById, body: schemas.Verify) -> Response:
    """Run the task's checks on the tree a landing would make now."""
    return _looked(path, CommandKind.VERIFY, body)


@api.post("/tasks/<id>/undo/preview", responses={200: results.Looked, 202: results.Looked})
@authority(Authority.CLIENT)
@body_optional
def undo_preview(path: schemas.ById, body: schemas.NothingNeeded) -> Response:
    """What an undo would do now, and what stands in the way."""
    return _looked(path, CommandKind.UNDO_PREVIEW, body)


@api.post("/tasks/<id>/undo", responses={200: results.Landed, 202: results.Landed})
@authority(Authority.OWNER)
@body_optional
def undo(path: schemas.ById, body: schemas.Undo) -> Response:
    """Take the last landing back, and bring a removed worktree back."""
    return _landed(path, CommandKind.UNDO, body, "The undo")


def _looked(path: schemas.ById, kind: CommandKind, body: BaseModel) -> Response:
    """What a worker sees, or 202 when that takes longer."""
    task = tasks.get(path.id)
    command = _carried_out(task, kind, body)
    if command.finished_at is None:
        return answers.value({"task_id": task.id, "pending_command": views.command(command)}, 202)
    return answers.value(command.result)


def _landed(
    path: schemas.ById, kind: CommandKind, body: BaseModel, what: str, told: Sequence[str] = ()
) -> Response:
    """The task after a worker did it and a message, and what of the command's result is `told` beside them."""
    task = tasks.get(path.id)
    command = _carried_out(task, kind, body)
    task = tasks.get(task.id)
    if command.finished_at is None:
        whole = answers.task_text(task, {"pending_command": views.command(command)})
        return answers.text(_with_message(whole, f"{what} is accepted and goes on."), 202)
    result = command.result or {}
    message = str(result.get("message") or f"{what} is done.")
    return answers.text(
        _with_message(answers.task_text(task), message, {name: result.get(name) for name in told})
    )


def _carried_out(task: Task, kind: CommandKind, body: BaseModel) -> Command:
    command = landings.request_work(task, kind, body.model_dump(exclude_none=True))
    return effects.carried_out(command, effects.WORK_SECONDS)


def _with_message(task_text: str, message: str, told: Mapping[str, Any] | None = None) -> str:
    more = "".join(f",{views.text(name)}:{views.text(value)}" for name, value in (told or {}).items())
    return f'{{"message":{views.text(message)}{more},"task":{task_text}}}'
