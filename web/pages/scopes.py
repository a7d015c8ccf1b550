"""A part of what a task changed, read by itself: since a turn or a review, what one attempt did, or between two states."""

from __future__ import annotations

from dataclasses import replace

from flask import Flask, Response, make_response, redirect
from werkzeug.wrappers import Response as BaseResponse

from shared import tasks
from shared.errors import Conflict
from shared.review import marks, points, scopes
from shared.review.marks import Mark
from shared.review.points import BASE, LATEST
from shared.store.models import Comparison, Task
from web.pages import captures, changes, compared, frame, task_details
from web.pages.compared import Compared
from web.reading import snapshot
from web.security import Authority, authority, writes


def install(app: Flask) -> None:
    app.add_url_rule("/ui/tasks/<id>/changes/between", "changes_between", page)
    app.add_url_rule("/ui/tasks/<id>/changes/between/file", "changes_between_file", file_partial)


@authority(Authority.PAGE)
@writes
def page(id: str) -> BaseResponse:
    """What differs between two states; while the agent works, a capture is taken first."""
    task = tasks.get(id)
    old, new = frame.query("from")[:80] or BASE, frame.query("to")[:80] or LATEST
    if (old, new) == (BASE, LATEST):
        return redirect(f"/ui/tasks/{id}/changes", 303)
    if new == LATEST:
        changes.look_again(task)
    _require_words(task, old, new)
    look = replace(changes.look_asked(), between=(("from", old), ("to", new)))
    shown = compared.of(lambda: points.pair(task, old, new), look)
    with snapshot():
        task = tasks.get(id)
        capture_id, marked = _marks(task, shown) if new == LATEST else ("", {})
        text = frame.page(
            "changes/between.html",
            tab="changes",
            **task_details.frame(task),
            scope=scopes.named(task, old, new),
            scopes=scopes.of(task),
            shown=shown,
            look=look,
            capture_id=capture_id,
            marked=marked,
        )
    return changes.remembered(make_response(text))


@authority(Authority.PAGE)
def file_partial(id: str) -> Response:
    """One file of a comparison that was made."""
    with snapshot():
        task = tasks.get(id)
        wanted = Comparison.id == frame.query("comparison")[:64]
        return compared.one_file(Comparison.get_or_none(wanted, Comparison.task == task.number))


def _require_words(task: Task, old: str, new: str) -> None:
    """Raises for words that name nothing; a state that cannot be compared is told on the page."""
    try:
        points.pair(task, old, new)
    except Conflict:
        return


def _marks(task: Task, shown: Compared) -> tuple[str, dict[str, Mark]]:
    """The latest capture, and how the files of the comparison stand in it, by their keys.

    Its new versions are the capture's: whoever has read what changed since has viewed the file.
    """
    row = captures.latest(task)
    if shown.changes is None or shown.pair is None or row is None or row.id != shown.pair.new.word:
        return "", {}
    review = marks.of(task, row)
    listed = {file.key for file in shown.changes.files}
    found = {captures.key_of(file): review.of(file) for file in row.files}
    return row.id, {key: mark for key, mark in found.items() if key in listed}
