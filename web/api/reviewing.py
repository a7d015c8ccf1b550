"""What a person has viewed of a task's changes."""

from __future__ import annotations

from typing import Any

from flask import Response

from shared import tasks
from shared.clock import rfc3339
from shared.errors import Conflict, NotFound
from shared.review import landings, marks
from shared.store.models import Capture, Task
from web import answers
from web.api import results, schemas
from web.resource import Resource
from web.security import Authority, authority, credential

api = Resource("reviewing", __name__)


@api.get("/tasks/<id>/review", responses={200: results.Review})
@authority(Authority.CLIENT)
def review(path: schemas.ById) -> Response:
    """Which files of the latest capture are viewed, and which changed since they were."""
    task = tasks.get(path.id)
    return answers.value(_view(task, landings.latest_capture(task)))


@api.post("/tasks/<id>/review", responses={200: results.Review})
@authority(Authority.OWNER)
def mark(path: schemas.ById, body: schemas.Viewed) -> Response:
    """Mark a file as viewed, or open it again; the mark holds until the agent changes the file again."""
    task = tasks.get(path.id)
    capture = landings.latest_capture(task)
    if capture is None:
        raise NotFound("This file is not among the task's changes.")
    if body.head_oid not in (None, capture.head_oid):
        raise Conflict("There is a newer capture than the one that was seen.")
    file = marks.named(capture.files, body.path)
    if body.viewed:
        marks.mark(task, file, credential().actor)
    else:
        marks.reopen(task, file)
    return answers.value(_view(task, capture))


def _view(task: Task, capture: Capture | None) -> dict[str, Any]:
    files = capture.files if capture is not None else []
    found = marks.of(task, files)
    return {
        "task_id": task.id,
        "head_oid": capture.head_oid if capture is not None else None,
        "total": found.total,
        "viewed": found.viewed,
        "files": [_file(file, found.of(file)) for file in files],
    }


def _file(file: marks.File, mark: marks.Mark) -> dict[str, Any]:
    return {
        "path": file["path"],
        "path_b64": file.get("path_b64"),
        "state": mark.standing,
        "viewed_by": mark.viewed_by,
        "viewed_at": rfc3339(mark.viewed_at) if mark.viewed_at else None,
    }
