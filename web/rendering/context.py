"""The unchanged lines around a diff's hunks: which are left out, the links to them, and diffs with more of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from shared.review.patch import FilePatch, Hunk, Line

#: As many as git shows, and as many as one click adds.
CONTEXT_LINES, STEP = 3, 20


@dataclass(frozen=True)
class Gap:
    """Lines left out: their first numbers in both versions, and how many; None where only the text tells."""

    old: int
    new: int
    count: int | None


@dataclass(frozen=True)
class More:
    """How to ask for lines: scripts at the `source`, others by the `page`, which takes how many to show around each hunk."""

    page: Markup
    source: str
    shown: int = CONTEXT_LINES

    def links(self, gap: Gap | None) -> Markup:
        """What shows the lines of a gap; scripts do so in place, by its numbers."""
        if gap is None or gap.count == 0:
            return Markup("")
        few = gap.count is not None and gap.count <= STEP
        asked = []
        if not few and gap.new > 1:
            asked.append(("down", f"↓ {STEP} below", STEP))
        if not few and gap.count is not None:
            asked.append(("up", f"↑ {STEP} above", STEP))
        told = (
            "to the end" if gap.count is None else f"all {gap.count:,} lines" if gap.count > 1 else "1 line"
        )
        asked.append(("all", told, gap.count or STEP * STEP))
        links = Markup(" ").join(
            Markup('<a href="{}" data-more="{}">{}</a>').format(self._at(lines), which, text)
            for which, text, lines in asked
        )
        count = "" if gap.count is None else gap.count
        return Markup('<span class="gap" data-old="{}" data-new="{}" data-count="{}">{}</span> ').format(
            gap.old, gap.new, count, links
        )

    def _at(self, lines: int) -> Markup:
        return self.page.replace("{lines}", str(self.shown + lines))


def between(last: Hunk | None, hunk: Hunk) -> Gap | None:
    """What is left out before a hunk, behind the `last` one that is shown; None for nothing."""
    if not hunk.old_count or not hunk.new_count:
        return None
    old, new = _end(last) if last else (1, 1)
    count = hunk.new_start - new
    return Gap(old, new, count) if count > 0 and hunk.old_start - old == count else None


def behind(hunk: Hunk) -> Gap | None:
    """What may be left out behind the last hunk; None where the patch shows the file's end."""
    tail = hunk.lines[-CONTEXT_LINES:]
    shown = sum(line.old is not None for line in hunk.lines), sum(line.new is not None for line in hunk.lines)
    is_whole = shown == (hunk.old_count, hunk.new_count)
    if not is_whole or len(tail) < CONTEXT_LINES or any(line.kind != " " or line.bare for line in tail):
        return None
    return Gap(*_end(hunk), None)


def _end(hunk: Hunk) -> tuple[int, int]:
    """The numbers of the first lines behind a hunk."""
    return hunk.old_start + hunk.old_count, hunk.new_start + hunk.new_count


def lines_of(gap: Gap, text: Sequence[str], count: int, *, is_bare: bool = False) -> Hunk:
    """The first `count` lines of a gap, or as many as the new version's `text` has of them, as a hunk without changes."""
    found = text[gap.new - 1 : gap.new - 1 + count]
    last = len(text) if is_bare else 0
    lines = [
        Line(" ", gap.old + place, gap.new + place, line, bare=gap.new + place == last)
        for place, line in enumerate(found)
    ]
    return Hunk(gap.old, len(lines), gap.new, len(lines), "", lines)


def widened(
    found: FilePatch, text: Sequence[str], around: int, most: int, *, is_bare: bool = False
) -> FilePatch:
    """The same hunks with `around` lines about each, of at most `most` lines; what they share goes to the first."""
    wanted, left = max(0, around - CONTEXT_LINES), most - found.lines
    hunks: list[Hunk] = []
    for hunk in found.hunks:
        gap = between(hunks[-1] if hunks else None, hunk)
        if gap is not None and gap.count is not None:
            below = min(wanted, gap.count, left) if hunks else 0
            above = min(wanted, gap.count - below, left - below)
            left -= below + above
            skipped = gap.count - above
            if hunks:
                hunks[-1] = _joined(hunks[-1], lines_of(gap, text, below))
            hunk = _joined(lines_of(Gap(gap.old + skipped, gap.new + skipped, above), text, above), hunk)
        hunks.append(hunk)
    if hunks and (gap := behind(hunks[-1])) is not None:
        hunks[-1] = _joined(hunks[-1], lines_of(gap, text, min(wanted, left), is_bare=is_bare))
    return replace(found, hunks=hunks)


def _joined(first: Hunk, second: Hunk) -> Hunk:
    """Hunks that follow each other as one; what the second stands in is told no more where lines come before it."""
    if not first.lines or not second.lines:
        return first if first.lines else second
    return Hunk(
        first.old_start,
        first.old_count + second.old_count,
        first.new_start,
        first.new_count + second.new_count,
        first.around,
        [*first.lines, *second.lines],
    )
