"""What a person has viewed of a task's changes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from flask import Response

from shared import tasks
from shared.clock import rfc3339
from shared.errors import Conflict, NotFound
from shared.review import landings, marking, marks
from shared.review.marks import Standing
from shared.store.models import Capture, Task
from web import answers
from web.api import results, schemas
from web.resource import Resource
from web.security import Authority, authority, credential

#: An answer lists the hunks of files until it has as many; of the others it lists none.
LISTED_HUNKS = 2_000
api = Resource("reviewing", __name__)


@api.get("/tasks/<id>/review", responses={200: results.Review})
@authority(Authority.CLIENT)
def review(path: schemas.ById, query: schemas.ReviewQuery) -> Response:
    """Which files of the latest capture, and which of their hunks, are viewed, and which changed since they were."""
    task = tasks.get(path.id)
    return answers.value(_view(task, landings.latest_capture(task), query.path))


@api.post("/tasks/<id>/review", responses={200: results.Review})
@authority(Authority.OWNER)
def mark(path: schemas.ById, body: schemas.Viewed) -> Response:
    """Mark a file or a hunk as viewed, or open it again; the mark holds until the agent changes that again."""
    task = tasks.get(path.id)
    capture = landings.latest_capture(task)
    if capture is None:
        raise NotFound("This file is not among the task's changes.")
    if body.head_oid not in (None, capture.head_oid):
        raise Conflict("There is a newer capture than the one that was seen.")
    file = marks.named(capture.files, body.path)
    who = credential().actor
    match body.viewed, body.hunk:
        case True, None:
            marking.mark(task, capture, file, who)
        case False, None:
            marking.reopen(task, file)
        case True, str(hunk):
            marking.mark_hunk(task, capture, file, hunk, who)
        case _, str(hunk):
            marking.reopen_hunk(task, capture, file, hunk)
    return answers.value(_view(task, capture))


def _view(task: Task, capture: Capture | None, path: str | None = None) -> dict[str, Any]:
    found = marks.of(task, capture)
    files = capture.files if capture is not None else []
    shown = files if path is None else [marks.named(files, path)]
    return {
        "task_id": task.id,
        "head_oid": capture.head_oid if capture is not None else None,
        "total": found.total,
        "viewed": found.viewed,
        "files": list(_files(shown, found)),
    }


def _files(files: list[marks.File], review: marks.Review) -> Iterator[dict[str, Any]]:
    room = LISTED_HUNKS
    for file in files:
        mark = review.of(file)
        hunks = review.hunks(file) if room > 0 else None
        room -= len(hunks or ())
        yield {
            "path": file["path"],
            "path_b64": file.get("path_b64"),
            **_state(mark.standing, mark.viewed_by, mark.viewed_at),
            "hunks": None if hunks is None else [_hunk(one) for one in hunks],
        }


def _hunk(one: marks.HunkMark) -> dict[str, Any]:
    standing = Standing.VIEWED if one.is_viewed else Standing.OPEN
    return {
        "hunk": one.key,
        "header": one.header,
        **_state(standing, one.viewed_by, one.viewed_at),
    }


def _state(standing: Standing, by: str | None, at: datetime | None) -> dict[str, Any]:
    return {"state": standing, "viewed_by": by, "viewed_at": rfc3339(at) if at else None}
