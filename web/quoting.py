"""Comments beside the lines they are about: what the lines read, whether they still do, and what they read now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.clock import rfc3339
from shared.errors import BadRequest
from shared.review import anchors, comments, landings, marks, patch, patches
from shared.review.anchors import Anchor, Version
from shared.review.comments import QUOTE_LINES, Side, State
from shared.store.models import Capture, Comment, Task
from web import versions
from web.security import credential


@dataclass(frozen=True)
class Shown:
    """A comment on a capture; `place` is where its lines begin now, None when they changed: it is outdated.

    `now` is then what stands in their place, empty where nothing does; None when that cannot be told, or they left
    the change.
    """

    comment: Comment
    place: int | None
    now: str | None = None

    @property
    def is_outdated(self) -> bool:
        return self.place is None

    @property
    def first(self) -> int:
        """The first line, where it is now or where it last was."""
        return self.place or int(self.comment.first_line)

    @property
    def last(self) -> int:
        return self.first + int(self.comment.last_line) - int(self.comment.first_line)

    @property
    def state(self) -> State:
        """Lines that had changed before the comment was sent are none that the agent changed because of it."""
        if self.comment.sent_at is None:
            return State.DRAFT
        if self.comment.resolved_at is not None:
            return State.ADDRESSED
        if self.place is not None:
            return State.SENT
        return State.OUTDATED if self.now is None or self.comment.was_outdated else State.ADDRESSED


def quote(row: Capture, file: marks.File, side: Side, first: int, last: int) -> str:
    """What these lines of the capture read, also those that the diff leaves out.

    Raises BadRequest where the file has no such lines, and what keeps a worker from reading them.
    """
    if not 0 <= last - first < QUOTE_LINES:
        raise BadRequest(f"A comment is about 1 to {QUOTE_LINES} lines.")
    asked = range(first, last + 1)
    shown = _lines(row, row.files.index(file), side)
    if any(number not in shown for number in asked) and (blob := marks.blob_of(file, side)):
        shown = {**_numbered(versions.require_text(row.task, blob)), **shown}
    if any(number not in shown for number in asked):
        raise BadRequest("This version of the file has no such lines to show.")
    return "\n".join(shown[number] for number in asked)


def add(task: Task, row: Capture, file: marks.File, side: Side, lines: tuple[int, int], body: str) -> Comment:
    """Keep a draft of whoever asks about lines (first, last) of a capture; raises as `quote` and `comments.add` do."""
    text = quote(row, file, side, *lines)
    return comments.add(
        task, file, side, lines, text, body, credential().actor, _around(row, file, side, *lines)
    )


def _around(row: Capture, file: marks.File, side: Side, first: int, last: int) -> dict[str, Any]:
    """What stands beside these lines, and whether the change removes any of them, to find them again."""
    place = row.files.index(file)
    before, after = anchors.around(_lines(row, place, side), first, last)
    removed = side is Side.OLD and _removes(row, place, first, last)
    return {"before": before, "after": after, "removed": removed}


def of(task: Task, row: Capture | None) -> list[Shown]:
    """The task's comments as they stand on this capture."""
    files = row.files if row is not None else []
    places = {marks.name_of(file): place for place, file in enumerate(files)}
    read: dict[tuple[int, str], Version] = {}
    found = []
    for comment in comments.of(task):
        place = places.get(comment.path)
        if row is None or place is None:
            found.append(Shown(comment, None))
        elif marks.content_of(files[place]) == comment.content:
            found.append(Shown(comment, comment.first_line))
        else:
            key = (place, comment.side)
            if key not in read:
                read[key] = Version(_lines(row, place, Side(comment.side)))
            found.append(_shown(comment, row, place, read[key]))
    return found


def outdated_drafts(task: Task) -> list[str]:
    """The ids of drafts whose lines have changed already."""
    known = of(task, landings.latest_capture(task))
    return [one.comment.id for one in known if one.state is State.DRAFT and one.is_outdated]


def _shown(comment: Comment, row: Capture, place: int, version: Version) -> Shown:
    beside = comment.around or {}
    length = comment.last_line - comment.first_line + 1
    anchor = Anchor(
        comment.first_line, length, comment.quote, beside.get("before", ()), beside.get("after", ())
    )
    first = anchors.place(version, anchor)
    if first is None:
        return Shown(comment, None, anchors.reading(version, anchor))
    if beside.get("removed") and not _removes(row, place, first, first + length - 1):
        return Shown(comment, None, comment.quote)
    return Shown(comment, first)


def _removes(row: Capture, place: int, first: int, last: int) -> bool:
    """Whether the change removes any of these lines of the old version."""
    hunks = patch.parse(patches.section(row.id, place)).hunks
    return any(
        line.kind == "-" and line.old is not None and first <= line.old <= last
        for hunk in hunks
        for line in hunk.lines
    )


def _lines(row: Capture, place: int, side: Side) -> dict[int, str]:
    """The lines of one version that the diff shows, and all where its text is kept, by number."""
    hunks = patch.parse(patches.section(row.id, place), patches.DRAWN_LINES).hunks
    lines = [line for hunk in hunks for line in hunk.lines]
    numbered = ((line.old if side is Side.OLD else line.new, line.text) for line in lines)
    shown = {number: text for number, text in numbered if number is not None}
    kept = versions.text(row.task, marks.blob_of(row.files[place], side))
    return {**_numbered(kept), **shown} if kept is not None else shown


def _numbered(text: versions.Text) -> dict[int, str]:
    return dict(enumerate(text.lines, start=1))


def view(shown: Shown) -> dict[str, Any]:
    """As the API shows it."""
    comment = shown.comment
    return {
        "id": comment.id,
        "path": comment.shown_path,
        "side": comment.side,
        "line": shown.first,
        "last_line": shown.last,
        "quote": comment.quote,
        "body": comment.body,
        "state": shown.state,
        "outdated": shown.is_outdated,
        "now": shown.now,
        "author": comment.author,
        "created_at": rfc3339(comment.created_at),
        "edited_at": _at(comment.edited_at),
        "sent_at": _at(comment.sent_at),
        "resolved_by": comment.resolved_by,
        "resolved_at": _at(comment.resolved_at),
    }


def _at(instant: datetime | None) -> str | None:
    return rfc3339(instant) if instant else None
