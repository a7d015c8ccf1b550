"""Comments beside the lines they are about: what the lines read, and whether they still do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.clock import rfc3339
from shared.errors import BadRequest
from shared.review import comments, marks, patch, patches
from shared.review.comments import QUOTE_LINES, Side
from shared.store.models import Capture, Comment, Task
from web import versions


@dataclass(frozen=True)
class Shown:
    """A comment on a capture; `place` is where its lines begin now, None when they changed: it is outdated."""

    comment: Comment
    place: int | None

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
    def state(self) -> str:
        return "draft" if self.comment.sent_at is None else "sent"


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


def of(task: Task, row: Capture | None) -> list[Shown]:
    """The task's comments as they stand on this capture."""
    files = row.files if row is not None else []
    places = {marks.name_of(file): place for place, file in enumerate(files)}
    read: dict[tuple[int, str], dict[int, str]] = {}
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
                read[key] = _lines(row, place, Side(comment.side))
            found.append(Shown(comment, _place(read[key], comment)))
    return found


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


def _place(shown: Mapping[int, str], comment: Comment) -> int | None:
    """Where the commented lines stand in another version: nearest to where they were, None when they are gone."""
    length = comment.last_line - comment.first_line + 1
    head = comment.quote.partition("\n")[0]

    def read(first: int) -> str:
        return "\n".join(shown.get(number, "") for number in range(first, first + length))

    same = [
        first
        for first, text in shown.items()
        if text.startswith(head) and read(first)[: comments.QUOTE_CHARACTERS] == comment.quote
    ]
    return min(same, key=lambda first: abs(first - comment.first_line), default=None)


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
        "author": comment.author,
        "created_at": rfc3339(comment.created_at),
        "sent_at": rfc3339(comment.sent_at) if comment.sent_at else None,
    }
