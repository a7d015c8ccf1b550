"""The versions of a task's changed files: their pictures, and their whole texts."""

from __future__ import annotations

from flask import Response

from shared import tasks
from shared.errors import NotFound
from shared.review import landings, marks
from shared.store.models import Task
from web import answers, versions
from web.api import results, schemas
from web.resource import Resource
from web.security import Authority, authority, writes

api = Resource("versions", __name__)

PICTURE = {
    "description": "The picture's bytes.",
    "content": {"image/png": {}, "image/svg+xml": {}, "image/*": {}},
}


@api.get("/tasks/<id>/blob", responses={200: PICTURE})
@authority(Authority.CLIENT)
def blob(path: schemas.ById, query: schemas.VersionQuery) -> Response:
    """A changed picture as it was or is now, where one is kept."""
    task = tasks.get(path.id)
    return versions.picture(task, _blob(task, query))


@api.get("/tasks/<id>/file", responses={200: results.Lines})
@authority(Authority.CLIENT)
@writes
def file(path: schemas.ById, query: schemas.LinesQuery) -> Response:
    """Lines of a changed file as it was or is now, also those that the diff leaves out; waits up to two seconds for them."""
    task = tasks.get(path.id)
    found = versions.require_text(task, _blob(task, query))
    shown = found.lines[query.start - 1 : query.start - 1 + query.limit]
    return answers.value(
        {
            "task_id": task.id,
            "path": query.path,
            "side": query.side,
            "start": query.start,
            "lines": shown,
            "total_lines": len(found.lines),
            "truncated": found.is_cut,
        }
    )


def _blob(task: Task, query: schemas.VersionQuery) -> str | None:
    row = landings.latest_capture(task)
    if row is None:
        raise NotFound("This file is not among the task's changes.")
    return marks.blob_of(marks.named(row.files, query.path), query.side)
