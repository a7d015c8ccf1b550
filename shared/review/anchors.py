"""Where lines of a file went, and what stands in their place: found again by what they read, and by what was around."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

#: A longer quote is cut.
QUOTE_CHARACTERS = 2_000
#: Lines kept on either side of what is quoted, and characters of each.
AROUND_LINES, AROUND_CHARACTERS = 3, 300
#: At most so many lines are told as what stands there now.
READ_LINES = 60
Lines = Mapping[int, str]


@dataclass(frozen=True)
class Anchor:
    """Lines of a version from `first` on: what they read, as far as it was kept, and what was before and after them."""

    first: int
    length: int
    text: str
    before: Sequence[str] = ()
    after: Sequence[str] = ()


@dataclass(frozen=True)
class Version:
    """The lines that are known of one version, by number."""

    lines: Lines

    @cached_property
    def numbers(self) -> dict[str, list[int]]:
        """Where each text stands, as far as a line's text is kept."""
        found: dict[str, list[int]] = {}
        for number, line in self.lines.items():
            found.setdefault(_kept(line), []).append(number)
        return found


def around(lines: Lines, first: int, last: int) -> tuple[list[str], list[str]]:
    """What stands before and after these lines, in the order of the file."""
    return list(_run(lines, first - 1, -1))[::-1], list(_run(lines, last + 1, 1))


def _run(lines: Lines, start: int, step: int) -> Iterator[str]:
    for number in range(start, start + step * AROUND_LINES, step):
        if number not in lines:
            return
        yield _kept(lines[number])


def _kept(line: str) -> str:
    return line[:AROUND_CHARACTERS]


def place(version: Version, anchor: Anchor) -> int | None:
    """Where the lines begin in another version: where most of what was around them is, then nearest to where they were.

    None when they are gone; so are lines that read the same elsewhere, while others stand where they stood.
    """
    lines, head = version.lines, _kept(anchor.text.partition("\n")[0])
    same = [first for first in version.numbers.get(head, ()) if _reads(lines, first, anchor)]
    best = max(
        same, key=lambda first: (_likeness(lines, first, anchor), -abs(first - anchor.first)), default=None
    )
    if best is None or _likeness(lines, best, anchor):
        return best
    there = span(version, anchor)
    return best if there is None or best in there else None


def _reads(lines: Lines, first: int, anchor: Anchor) -> bool:
    numbers = range(first, first + anchor.length)
    if any(number not in lines for number in numbers):
        return False
    return "\n".join(lines[number] for number in numbers)[:QUOTE_CHARACTERS] == anchor.text


def _likeness(lines: Lines, first: int, anchor: Anchor) -> int:
    """How many lines around are those that were around."""
    before, after = around(lines, first, first + anchor.length - 1)
    return _common(before[::-1], anchor.before[::-1]) + _common(after, anchor.after)


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many lines agree from the first on; blank ones say nothing."""
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += bool(left.strip())
    return count


def reading(version: Version, anchor: Anchor) -> str | None:
    """What stands where the lines stood, empty where nothing does; None when what was around them is gone as well."""
    found = span(version, anchor)
    return None if found is None else "\n".join(version.lines[number] for number in found).strip("\n")


def span(version: Version, anchor: Anchor) -> range | None:
    """The lines from what was before to what was after; as many as there were, where one of these is gone."""
    lines = version.lines
    before = _found(version, anchor.before[::-1], anchor.first - 1, -1)
    begin = before[0] + 1 if before is not None else None
    after = _found(version, anchor.after, (begin or anchor.first) + anchor.length, 1, least=begin or 1)
    if begin is None and after is None:
        return None
    if begin is None:
        begin = 1 if anchor.first == 1 or after is None else max(1, after[0] - after[1] - anchor.length)
    skipped = before[1] if before is not None else 0
    end = after[0] if after is not None else begin + skipped + anchor.length
    if after is None and anchor.after and begin not in lines:
        return None
    if after is None:
        end = next((number for number in range(begin, end) if number not in lines), end)
    found = range(begin, min(end, begin + READ_LINES))
    return found if all(number in lines for number in found) else None


def _found(
    version: Version, wanted: Sequence[str], expected: int, step: int, least: int = 1
) -> tuple[int, int] | None:
    """The line that is the first of `wanted` to be there, going on by `step` from what was quoted, and which it is."""
    for depth, text in enumerate(wanted):
        if not text.strip():
            continue
        same = [number for number in version.numbers.get(text, ()) if number >= least]
        if same:
            aim = expected + step * depth
            rest = wanted[depth:]
            return max(same, key=lambda at: (_followed(version.lines, at, rest, step), -abs(at - aim))), depth
    return None


def _followed(lines: Lines, at: int, wanted: Sequence[str], step: int) -> int:
    """How many of `wanted` follow each other from here."""
    return _common([_kept(lines.get(at + step * place, "")) for place in range(len(wanted))], wanted)
