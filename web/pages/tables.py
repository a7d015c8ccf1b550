"""One file's changes as a page shows them: its lines, its pictures, or one sentence about why there is nothing to draw."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from urllib.parse import urlencode

from markupsafe import Markup, escape

from shared import groups
from shared.review import patch
from shared.review.marks import Review
from shared.review.patches import DRAWN_LINES, HUGE_BYTES, section
from shared.store.models import Capture, Comparison, Task
from web.pages import hunks, pictures
from web.pages.captures import File
from web.rendering import diff
from web.rendering.context import CONTEXT_LINES, More, widened
from web.rendering.marks import visible
from web.versions import Text

SHELF_BYTES = 16 * 1024 * 1024
#: In a link to the page itself, where its scope comes; no text of a file has this in it, for that is escaped.
SCOPE = Markup("<!--scope-->")


@dataclass(frozen=True)
class Wider:
    """One file with `around` lines about its hunks; `text` is None where that is `refused`, with a sentence."""

    key: str
    around: int
    text: Text | None
    refused: str = ""


class Shelf:
    """Drawn tables, the least used of which go first; bounded in characters."""

    def __init__(self, most: int) -> None:
        self._most, self._size = most, 0
        self._kept: OrderedDict[tuple[str, int, bool, bool], Markup] = OrderedDict()
        self._guard = threading.Lock()

    def get(self, key: tuple[str, int, bool, bool]) -> Markup | None:
        with self._guard:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def put(self, key: tuple[str, int, bool, bool], value: Markup) -> None:
        with self._guard:
            if key in self._kept or len(value) > self._most:
                return
            self._kept[key] = value
            self._size += len(value)
            while self._size > self._most:
                self._size -= len(self._kept.popitem(last=False)[1])


_shelf = Shelf(SHELF_BYTES)


def marked(
    row: Capture,
    file: File,
    review: Review,
    *,
    split: bool,
    ignore_space: bool,
    wider: Wider | None = None,
) -> Markup:
    """The same as `table`, with which of the file's hunks the person has viewed."""
    found = review.hunks(row.files[file.index])
    drawn = table(row, file, split=split, ignore_space=ignore_space, wider=wider)
    return hunks.with_marks(drawn, file.key, found, folds=not all(one.is_viewed for one in found))


def table(
    row: Capture | Comparison,
    file: File,
    *,
    split: bool,
    ignore_space: bool,
    wider: Wider | None = None,
    scope: str = "",
) -> Markup:
    """The file's changes drawn, or one sentence about why there is nothing to draw; wider where that is this file's wish.

    `scope` is what the query of the page begins with that shows just these changes.
    """
    mine = wider if wider is not None and wider.key == file.key else None
    if mine is not None and mine.text is not None:
        drawn = _drawn(row, file, split, ignore_space, mine.text, mine.around)
    else:
        drawn = _shelved(row, file, split, ignore_space)
    drawn = Markup(drawn.replace(SCOPE, escape(scope)))  # noqa: S704 -- markup, with a query in its links
    return drawn + note(mine.refused) if mine is not None and mine.refused else drawn


def _shelved(row: Capture | Comparison, file: File, split: bool, ignore_space: bool) -> Markup:
    key = (str(row.id), file.index, split, ignore_space)
    found = _shelf.get(key)
    if found is None:
        found = _drawn(row, file, split, ignore_space)
        _shelf.put(key, found)
    return found


def _drawn(
    row: Capture | Comparison,
    file: File,
    split: bool,
    ignore_space: bool,
    text: Text | None = None,
    around: int = CONTEXT_LINES,
) -> Markup:
    if file.state == "missing":
        return note(
            "This file's changes lie beyond the 8 MiB that a capture keeps. Look at them in the worktree."
        )
    given = section(row.id, file.index)
    found = patch.parse(given, DRAWN_LINES)
    if found.binary or file.state == "binary":
        return pictures.beside(_holders(row), file.name, file.blobs) or note(_unseen(found))
    if not found.hunks:
        return note(_unchanged(file))
    if file.state == "submodule":
        drawn = diff.table(found, file.name, split=split, ignore_space=ignore_space)
        return note("A submodule: only the commit it points to changes.") + drawn
    cut = len(given) >= HUGE_BYTES or found.lines >= DRAWN_LINES
    if text is not None:
        found = widened(found, text.lines, around, DRAWN_LINES, is_bare=text.is_bare)
    more = More(_page(file, split, ignore_space), _source(row, file), around)
    drawn = diff.table(found, file.name, split=split, ignore_space=ignore_space, more=more)
    drawn += pictures.preview(_holders(row), file.name, file.blobs)
    return drawn + note(f"Only the first {found.lines:,} lines are shown.") if cut else drawn


def _holders(row: Capture | Comparison) -> list[Task]:
    """The tasks that the versions of a file are kept with: a comparison may be of two tasks of a group."""
    group = row.task.group_id if isinstance(row, Comparison) else None
    return [row.task] if group is None else groups.members(groups.get(group))


def _page(file: File, split: bool, ignore_space: bool) -> Markup:
    """The page with more lines of this file, for who has no scripts."""
    wanted = {"view": "split" if split else "unified", "path": file.name}
    space = {"space": "ignore"} if ignore_space else {}
    query = urlencode({**wanted, **space})
    return Markup("?{}{}&amp;context={{lines}}#f-{}").format(SCOPE, query, file.key)


def _source(row: Capture | Comparison, file: File) -> str:
    """Where scripts get more lines of this file."""
    kind = "capture" if isinstance(row, Capture) else "comparison"
    return f"/ui/tasks/{row.task.id}/changes/lines?{urlencode({kind: row.id, 'key': file.key})}"


def _unseen(found: patch.FilePatch) -> str:
    sizes = " → ".join(f"{size:,} bytes" for size in reversed(found.sizes) if size)
    return "A binary file, not shown." + (f" {sizes}" if sizes else "")


def _unchanged(file: File) -> str:
    if file.modes:
        return f"Only the mode changed: {file.modes}"
    if file.status in ("renamed", "copied"):
        return f"Only the name changed, from {file.old_name}"
    return "An empty file."


def note(text: str) -> Markup:
    return Markup('<p class="note">{}</p>').format(visible(text))
