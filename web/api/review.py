"""What a task changed, whether it would land, landing it, and removing its worktree."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Response
from pydantic import BaseModel

from shared import tasks
from shared.clock import rfc3339
from shared.commands import CommandKind
from shared.errors import NotFound
from shared.review import landings
from shared.review.patches import HEADER
from shared.store.models import Capture, Command, Task
from web import answers, effects, views
from web.api import results, schemas
from web.bodies import body_optional
from web.resource import Resource
from web.security import Authority, authority, writes

api = Resource("review", __name__)

#: Of a push's result beside its message; null where there is none.
PUSHED = ("pushed", "compare_url", "pull_request_url", "pull_request_refused")


@api.get("/tasks/<id>/diff", responses={200: results.Diff})
@authority(Authority.CLIENT)
@writes
def diff(path: schemas.ById, query: schemas.DiffQuery) -> Response:
    """The latest capture; `refresh` takes a new one first."""
    task = tasks.get(path.id)
    if query.refresh and task.worktree_path and task.worktree_cleaned_at is None:
        effects.finished(landings.request_work(task, CommandKind.CAPTURE), effects.STEER_SECONDS)
        task = tasks.get(path.id)
    capture = landings.latest_capture(task)
    return answers.value(_view(task, capture, query.path))


def _view(task: Task, capture: Capture | None, path: str | None) -> dict[str, Any]:
    head: dict[str, Any] = {
        "task_id": task.id,
        "isolated": bool(task.worktree_path) or capture is not None,
        "worktree_path": task.worktree_path,
        "runner_session_id": task.runner_session_id,
        "base_commit": task.base_commit,
    }
    if capture is None:
        if path is not None:
            raise NotFound("This file is not among the task's changes.")
        empty: dict[str, Any] = {"files": [], "head_oid": None, "base_oid": None, "captured_at": None}
        return {**head, "stat": task.diff_stat or "", "patch": "", **empty, "truncated": False}
    files = capture.files
    patch = bytes(capture.patch)
    if path is not None:
        files, patch = only(files, patch, path)
    return {
        **head,
        "stat": capture.stat,
        **patch_text(patch),
        "files": files,
        "head_oid": capture.head_oid,
        "base_oid": capture.base_oid,
        "captured_at": rfc3339(capture.captured_at),
        "truncated": capture.truncated,
    }


def patch_text(patch: bytes) -> dict[str, str]:
    """JSON holds text only: bytes of another encoding are shown as best they can, and whole in base64."""
    try:
        return {"patch": patch.decode()}
    except UnicodeDecodeError:
        return {"patch": patch.decode(errors="replace"), "patch_b64": base64.b64encode(patch).decode()}


def only(files: list[dict[str, Any]], patch: bytes, path: str) -> tuple[list[dict[str, Any]], bytes]:
    """One file and its part of the patch. Raises NotFound when the task did not change it."""
    starts = [found.start() for found in HEADER.finditer(patch)] + [len(patch)]
    place = 0
    for file in files:
        #: git writes a change of type (a link instead of a file) as a deletion and an addition.
        pieces = 2 if file.get("status") == "type-changed" else 1
        if path in (file.get("path"), file.get("path_b64"), file.get("old_path")):
            end = min(place + pieces, len(starts) - 1)
            return [file], patch[starts[min(place, end)] : starts[end]]
        place += pieces
    raise NotFound("This file is not among the task's changes.")


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
