"""More of a file than its diff: the unchanged lines around hunks, added in place, or with the page for who has no scripts."""

from __future__ import annotations

from flask import Flask, Response, make_response, request
from markupsafe import Markup

from shared import tasks
from shared.errors import BadRequest, NotFound, Refused
from shared.review.patch import Hunk
from shared.store.models import Capture, Comparison, Task
from web import versions
from web.pages import captures, frame
from web.pages.captures import File
from web.pages.tables import Wider
from web.rendering import diff
from web.rendering.context import CONTEXT_LINES, Gap, lines_of
from web.rendering.highlight import HUNK_CHARACTERS
from web.security import Authority, authority, writes

#: Lines of one answer; more are asked for again.
MOST_LINES = 1_000
NUMBER_DIGITS = 9
CUT = Markup('<tr class="cut"><td colspan="{}">Only the first 1 MiB of a file is shown.</td></tr>')


def install(app: Flask) -> None:
    app.add_url_rule("/ui/tasks/<id>/changes/lines", "changed_lines", lines)


@authority(Authority.PAGE)
@writes
def lines(id: str) -> Response:
    """Rows of a file's unchanged lines, `count` of them from `old` and `new` on; fewer where the file ends."""
    task = tasks.get(id)
    row = _row(task)
    if row is None:
        raise NotFound("The task has no such capture.")
    file = captures.find(row, request.args.get("path", "")[:8192], request.args.get("key", "")[:64])
    count = min(_number("count"), MOST_LINES)
    gap = Gap(_number("old"), _number("new"), count)
    text = _text(task, file)
    hunk = lines_of(gap, text.lines, count, is_bare=text.is_bare)
    split = request.args.get("view") != "unified"
    before = _before(text.lines, hunk)
    rows = diff.unchanged(hunk, file.name, split=split, before=before)
    is_cut = text.is_cut and len(hunk.lines) < count
    return make_response(rows + CUT.format(6 if split else 4) if is_cut else rows)


def _row(task: Task) -> Capture | Comparison | None:
    wanted = request.args.get("comparison", "")[:64]
    if not wanted:
        return captures.latest(task, request.args.get("capture", "")[:64])
    found: Comparison | None = Comparison.get_or_none(Comparison.id == wanted, Comparison.task == task.number)
    return found


def wish(row: Capture | Comparison | None) -> Wider | None:
    """What the page's query asks for: `context` lines around the hunks of the file at `path`. Waits for a worker."""
    around = frame.query("context")
    if row is None or not (around.isascii() and around.isdigit()):
        return None
    file = captures.find(row, frame.query("path")[:8192])
    try:
        return Wider(file.key, int(around[:NUMBER_DIGITS]), _text(row.task, file))
    except Refused as refused:
        return Wider(file.key, CONTEXT_LINES, None, refused.detail)


def _text(task: Task, file: File) -> versions.Text:
    """The version that a file's unchanged lines are read from. Raises what `require_text` does."""
    old, new = file.blobs
    return versions.require_text(task, new or old)


def _before(text: list[str], hunk: Hunk) -> list[str]:
    """Lines before the hunk, as many as may be read with it to tell whether that is code, a text or a remark."""
    start = hunk.new_start - 1
    room = HUNK_CHARACTERS - sum(len(line.text) + 1 for line in hunk.lines)
    while 0 < start <= len(text) and (room := room - len(text[start - 1]) - 1) >= 0:
        start -= 1
    return text[start : hunk.new_start - 1]


def _number(name: str) -> int:
    given = request.args.get(name, "")
    if not given.isascii() or not given.isdigit() or len(given) > NUMBER_DIGITS or not int(given):
        raise BadRequest(f"{name} is a line's number: a whole number above 0.")
    return int(given)
