"""What a person does with a task's changes while reading them: marking files as viewed."""

from __future__ import annotations

from flask import Flask, request
from werkzeug.wrappers import Response as BaseResponse

from shared import tasks
from shared.errors import NotFound
from shared.review import marks
from web.pages import captures, forms
from web.security import credential


def install(app: Flask) -> None:
    app.add_url_rule("/ui/tasks/<id>/viewed", "viewed_form", viewed, methods=["POST"])


@forms.action(lambda id: f"viewed:{id}")
def viewed(id: str) -> BaseResponse:
    """Mark a file of the capture that is on the page as viewed, or open it again; answers how far the review is."""
    task = tasks.get(id)
    row = captures.latest(task, forms.field("capture", 64))
    if row is None:
        raise NotFound("The task has no such capture.")
    reopens = "open" in request.form
    key = forms.field("open" if reopens else "viewed", 64)
    file = captures.with_key(row.files, key)
    if reopens:
        marks.reopen(task, file)
    else:
        marks.mark(task, file, credential().actor)
    return forms.done(lambda: progress(marks.of(task, row.files)), to=f"{forms.back()}#f-{key}")


def progress(review: marks.Review) -> str:
    """How far a review has come, in words."""
    return f"{review.viewed:,} of {review.total:,} viewed"
