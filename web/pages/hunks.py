"""The marks of single hunks in a drawn table: each hunk's head says whether it is viewed, and a viewed one is folded."""

from __future__ import annotations

import re
from collections.abc import Sequence

from markupsafe import Markup

from shared.review.marks import HunkMark, Mark
from web.pages import words

#: What `rendering.diff` leaves for the page to fill.
SLOTS = re.compile(r'<tbody data-hunk="(\d+)">|<!--hunk (\d+)-->')
BODY = Markup('<tbody id="h-{}-{}" data-hunk="{}"{}>')
HEAD = Markup(
    '{}<label class="peek"><input type="checkbox"> Show</label>'
    '<button class="button small viewed" form="marks" name="{}" value="{} {}" aria-pressed="{}">Viewed<span class="vh"> hunk {}</span></button>'
)
FOLDED = Markup(' class="is-viewed"')
BY = Markup('<span class="by" title="{}">viewed {}</span>')


def with_marks(table: Markup, file_key: str, marks: Sequence[HunkMark], *, folds: bool) -> Markup:
    """The table with the marks of its hunks; `folds` says whether what is viewed is folded."""

    def fill(slot: re.Match[str]) -> str:
        number = int(slot[1] or slot[2] or 0)
        mark = marks[number] if number < len(marks) else None
        if slot[1] is not None:
            is_folded = folds and mark is not None and mark.is_viewed
            return str(BODY.format(file_key, number, mark.key if mark else "", FOLDED if is_folded else ""))
        return "" if mark is None else str(_head(file_key, number, mark))

    return Markup(SLOTS.sub(fill, table))  # noqa: S704 -- the table is markup, and what fills it is


def _head(file_key: str, number: int, mark: HunkMark) -> Markup:
    by = BY.format(words.actor(mark.viewed_by or ""), words.moment(mark.viewed_at)) if mark.is_viewed else ""
    name = "open-hunk" if mark.is_viewed else "hunk"
    pressed = "true" if mark.is_viewed else "false"
    return HEAD.format(by, name, file_key, mark.key, pressed, number + 1)


def counted(mark: Mark) -> str:
    """How much of a file that is viewed in part is viewed; nothing of another."""
    if mark.is_viewed or not mark.hunks_viewed:
        return ""
    return f"{mark.hunks_viewed} of {words.plural(mark.hunks, 'hunk')} viewed"
