"""What a person does with a task's changes while reading them: marking files, and hunks of them, as viewed."""

from __future__ import annotations

from flask import Flask, request
from werkzeug.wrappers import Response as BaseResponse

from shared import tasks
from shared.errors import BadRequest, NotFound
from shared.review import marking, marks
from shared.store.models import Capture, Task
from web import answers
from web.pages import captures, forms, hunks
from web.security import credential

#: The acts of the form, by the name of its button; a hunk's value is its file's key and its own.
VIEWED, OPEN, HUNK, OPEN_HUNK = "viewed", "open", "hunk", "open-hunk"


def install(app: Flask) -> None:
    app.add_url_rule("/ui/tasks/<id>/viewed", "viewed_form", viewed, methods=["POST"])


@forms.action(lambda id: f"viewed:{id}")
def viewed(id: str) -> BaseResponse:
    """Mark a file or a hunk of the capture that is on the page as viewed, or open it again; a script is told how far
    the review is then.
    """
    task = tasks.get(id)
    row = captures.latest(task, forms.field("capture", 64))
    if row is None:
        raise NotFound("The task has no such capture.")
    act = next((name for name in (VIEWED, OPEN, HUNK, OPEN_HUNK) if name in request.form), None)
    if act is None:
        raise BadRequest("Say what is viewed.")
    key, _, hunk = forms.field(act, 128).partition(" ")
    file = captures.with_key(row.files, key)
    _carry_out(task, row, file, act, hunk)
    if forms.is_upgraded():
        return _told(task, row, file)
    return forms.leave(f"{forms.back()}#{_place(task, row, file, key, hunk)}")


def _carry_out(task: Task, row: Capture, file: marks.File, act: str, hunk: str) -> None:
    who = credential().actor
    match act:
        case "viewed":
            marking.mark(task, row, file, who)
        case "open":
            marking.reopen(task, file)
        case "hunk":
            marking.mark_hunk(task, row, file, hunk, who)
        case _:
            marking.reopen_hunk(task, row, file, hunk)


def _told(task: Task, row: Capture, file: marks.File) -> BaseResponse:
    review = marks.of(task, row)
    mark = review.of(file)
    return answers.value(
        {"progress": progress(review), "viewed": mark.is_viewed, "hunks": hunks.counted(mark)}
    )


def _place(task: Task, row: Capture, file: marks.File, key: str, hunk: str) -> str:
    """The id on the page of what was marked."""
    known = [one.key for one in marks.of(task, row, file).hunks(file)] if hunk else []
    return f"h-{key}-{known.index(hunk)}" if hunk in known else f"f-{key}"


def progress(review: marks.Review) -> str:
    """How far a review has come, in words: `3 of 9 viewed, 2 of 5 hunks viewed in one file`."""
    return f"{review.viewed:,} of {review.total:,} viewed{in_part(review)}"


def in_part(review: marks.Review) -> str:
    """How much is viewed of the files that are viewed in part; nothing where there is none."""
    if not (rest := review.in_part):
        return ""
    where = "one file" if len(rest) == 1 else f"{len(rest):,} files"
    viewed, total = sum(mark.hunks_viewed for mark in rest), sum(mark.hunks for mark in rest)
    return f", {viewed:,} of {total:,} hunks viewed in {where}"
