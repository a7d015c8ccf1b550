"""Deleted tasks, as long as they can be put back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Response

from shared import deletion
from shared.archive import KEPT_DAYS
from shared.clock import rfc3339
from shared.store.models import Task
from web import answers, effects, views
from web.api import results, schemas
from web.resource import Resource
from web.security import Authority, authority

api = Resource("deleted", __name__)


@api.get("/deleted-tasks", responses={200: results.Listed[results.DeletedTask]})
@authority(Authority.CLIENT)
def listed() -> Response:
    """The deleted tasks that can be put back, the last deleted first."""
    return answers.value([_view(task) for task in deletion.listed()])


@api.post("/deleted-tasks/<id>/restore", responses={200: results.Task})
@authority(Authority.OWNER)
def restore(path: schemas.ById) -> Response:
    """Put the task back, with its events, attempts, captures and comments; a worktree comes back by `undo` or a start."""
    return answers.task(deletion.put_back(deletion.find(path.id)))


@api.delete("/deleted-tasks/<id>", responses={202: results.Deleting, 204: None})
@authority(Authority.OWNER)
def forget(path: schemas.ById) -> Response:
    """Delete the task for good, at once."""
    command = deletion.request_for_good(deletion.find(path.id))
    if effects.gone(command):
        return Response(status=204)
    return answers.value({"task_id": path.id, "pending_command": views.command(command)}, 202)


def _view(task: Task) -> dict[str, Any]:
    return {
        "id": task.id,
        "title": task.title,
        "runner": task.runner,
        "workspace": task.workspace,
        "status": task.status,
        "event_count": task.last_seq,
        "deleted_at": rfc3339(task.deleted_at),
        "kept_until": rfc3339(task.deleted_at + timedelta(days=KEPT_DAYS)),
    }
