"""A file's changes as a table: side by side or unified, changed words marked, code in colour."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise

from markupsafe import Markup, escape

from shared.review.patch import FilePatch, Hunk, Line
from web.rendering.context import More, behind, between
from web.rendering.highlight import Piece, highlighted
from web.rendering.marks import visible

WORD = re.compile(r"\w+|\s+|[^\w\s]")
SPACE = re.compile(r"\s+")
#: Below this likeness two lines are different lines, and marking words would only be noise.
LIKE = 0.4
#: Words compared pair by pair; longer lines are compared at their ends only.
WORDS = 300
#: Lines of one change whose likes are searched for when white space is ignored.
ALIGNED = 2_000
HEAD = {
    False: '<colgroup><col class="number"><col class="number"><col class="sign"><col></colgroup>'
    '<thead class="vh"><tr><th scope="col">Old line</th><th scope="col">New line</th>'
    '<th scope="col">Change</th><th scope="col">Text</th></tr></thead>',
    True: '<colgroup><col class="number"><col class="sign"><col><col class="number"><col class="sign"><col></colgroup>'
    '<thead class="vh"><tr><th scope="col">Old line</th><th scope="col">Removed</th><th scope="col">Old text</th>'
    '<th scope="col">New line</th><th scope="col">Added</th><th scope="col">New text</th></tr></thead>',
}
SIGNS = {" ": "", "+": "+", "-": "−"}
CLASSES = {" ": "same", "+": "add", "-": "del"}
#: Where the page may put what it has to say of a hunk; no line can hold one, text is escaped.
SLOT = "<!--hunk {}-->"
Span = tuple[int, int]


@dataclass
class Pair:
    """A line of the old version beside one of the new; one of them may be missing, and equal ones are context."""

    old: Line | None
    new: Line | None
    old_marks: Sequence[Span] = ()
    new_marks: Sequence[Span] = ()

    @property
    def is_same(self) -> bool:
        return self.old is not None and self.new is not None and self.new.kind == " "


def table(
    found: FilePatch,
    filename: str,
    *,
    split: bool,
    ignore_space: bool = False,
    more: More | None = None,
) -> Markup:
    """The whole table of one file, with a `SLOT` in the head of each hunk, numbered as in the patch; with `more`, links
    to the unchanged lines around them.
    """
    source = f' data-lines="{escape(more.source)}"' if more else ""
    parts = [f'<table class="diff {"split" if split else "unified"}"{source}>{HEAD[split]}']
    last: Hunk | None = None
    for number, hunk in enumerate(found.hunks):
        pairs = paired(hunk, ignore_space=ignore_space)
        if ignore_space and all(pair.is_same for pair in pairs):
            continue
        links = more.links(between(last, hunk)) if more else ""
        around = f" <span>{visible(hunk.around)}</span>" if hunk.around else ""
        head = f'{links}<span class="hunk-at">{hunk.header}{around}</span>{SLOT.format(number)}'
        parts.append(f'<tbody data-hunk="{number}">{_head("hunk", split, head)}')
        parts.append(_rows(pairs, _Code(hunk, filename), split=split))
        parts.append("</tbody>")
        last = hunk
    if last is None:
        return Markup('<p class="note">Only white space changed.</p>')
    if more and (gap := behind(last)) is not None:
        parts.append(f"<tbody>{_head('behind', split, more.links(gap))}</tbody>")
    parts.append("</table>")
    return Markup("".join(parts))  # noqa: S704 -- every piece of text is escaped where it is made


def _head(kind: str, split: bool, text: str) -> str:
    columns = 6 if split else 4
    head = f'<th scope="rowgroup" colspan="{columns}" tabindex="-1"><div class="hunk-head">{text}</div></th>'
    return f'<tr class="{kind}">{head}</tr>'


def _rows(pairs: list[Pair], code: _Code, *, split: bool) -> str:
    return "".join(_split_rows(pairs, code) if split else _unified_rows(pairs, code))


def unchanged(hunk: Hunk, filename: str, *, split: bool, before: Sequence[str] = ()) -> Markup:
    """The rows of lines that both versions have; the lines `before` them only help to tell what is code."""
    pairs = [Pair(line, line) for line in hunk.lines]
    rows = _rows(pairs, _Code(hunk, filename, before), split=split)
    return Markup(rows)  # noqa: S704 -- every piece of text is escaped where it is made


def paired(hunk: Hunk, *, ignore_space: bool = False) -> list[Pair]:
    """The hunk's lines beside each other, with the words that differ."""
    pairs: list[Pair] = []
    removed: list[Line] = []
    added: list[Line] = []
    for line in [*hunk.lines, None]:
        if line is not None and line.kind == "-" and not added:
            removed.append(line)
        elif line is not None and line.kind == "+":
            added.append(line)
        else:
            pairs.extend(_change(removed, added, ignore_space))
            removed, added = [], []
            if line is not None and line.kind == "-":
                removed.append(line)
            elif line is not None:
                pairs.append(Pair(line, line))
    return pairs


def _change(removed: list[Line], added: list[Line], ignore_space: bool) -> Iterator[Pair]:
    if not ignore_space or not removed or not added or len(removed) + len(added) > ALIGNED:
        yield from _beside(removed, added)
        return
    left, right = ([SPACE.sub("", line.text) for line in side] for side in (removed, added))
    for what, a, b, c, d in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if what == "equal":
            for old, new in zip(removed[a:b], added[c:d], strict=True):
                yield Pair(old, Line(" ", old.old, new.new, new.text, new.bare))
        else:
            yield from _beside(removed[a:b], added[c:d])


def _beside(removed: Sequence[Line], added: Sequence[Line]) -> Iterator[Pair]:
    for number in range(max(len(removed), len(added))):
        old = removed[number] if number < len(removed) else None
        new = added[number] if number < len(added) else None
        if old is not None and new is not None:
            yield Pair(old, new, *words(old.text, new.text))
        else:
            yield Pair(old, new)


def words(old: str, new: str) -> tuple[list[Span], list[Span]]:
    """The spans of characters that differ, by words; nothing when the lines have little in common."""
    left, right = WORD.findall(old), WORD.findall(new)
    head = 0
    while head < min(len(left), len(right)) and left[head] == right[head]:
        head += 1
    tail = 0
    while tail < min(len(left), len(right)) - head and left[-1 - tail] == right[-1 - tail]:
        tail += 1
    a, b = left[head : len(left) - tail], right[head : len(right) - tail]
    if len(a) + len(b) > WORDS:
        blocks = [("replace", 0, len(a), 0, len(b))]
    else:
        blocks = [
            code for code in SequenceMatcher(None, a, b, autojunk=False).get_opcodes() if code[0] != "equal"
        ]
    changed = sum(len("".join(a[i:j])) + len("".join(b[k:m])) for _, i, j, k, m in blocks)
    if changed > (1 - LIKE) * (len(old) + len(new)):
        return [], []
    start = len("".join(left[:head]))
    return (
        _spans(a, [(i, j) for _, i, j, _, _ in blocks], start),
        _spans(b, [(k, m) for _, _, _, k, m in blocks], start),
    )


def _spans(pieces: list[str], ranges: list[Span], start: int) -> list[Span]:
    ends = [start]
    for piece in pieces:
        ends.append(ends[-1] + len(piece))
    return [(ends[low], ends[high]) for low, high in ranges if high > low]


class _Code:
    """The hunk's two versions in colour, by line number; carriage returns are shown only where they differ."""

    def __init__(self, hunk: Hunk, filename: str, before: Sequence[str] = ()) -> None:
        self._before = before
        ended = {line.text.endswith("\r") for line in hunk.lines}
        self._shows_returns = len(ended) > 1
        old = [line for line in hunk.lines if line.old is not None]
        new = [line for line in hunk.lines if line.new is not None]
        self._old = dict(zip([line.old for line in old], self._read(old, filename), strict=True))
        self._new = dict(zip([line.new for line in new], self._read(new, filename), strict=True))

    def _read(self, lines: list[Line], filename: str) -> list[list[Piece]]:
        texts = [*self._before, *(line.text for line in lines)]
        return highlighted([text.removesuffix("\r") for text in texts], filename)[len(self._before) :]

    def cell(self, line: Line, marks: Sequence[Span], *, old: bool = False) -> str:
        pieces = self._old.get(line.old) if old or line.new is None else self._new.get(line.new)
        text = "".join(_marked(pieces or [("", line.text)], marks))
        if self._shows_returns and line.text.endswith("\r"):
            text += '<span class="codepoint" title="carriage return">CR</span>'
        return text + (
            '<span class="bare" title="No newline at the end of the file">⊘</span>' if line.bare else ""
        )


def _marked(pieces: Sequence[Piece], marks: Sequence[Span]) -> Iterator[str]:
    """Pieces as HTML, cut where a marked span begins or ends."""
    place = 0
    cuts = sorted({edge for span in marks for edge in span})
    for name, text in pieces:
        edges = [place, *(cut for cut in cuts if place < cut < place + len(text)), place + len(text)]
        for low, high in pairwise(edges):
            part = text[low - place : high - place]
            is_marked = any(start <= low and high <= end for start, end in marks)
            classes = " ".join(filter(None, (f"hl-{name}" if name else "", "word" if is_marked else "")))
            shown = escape(part) if part.isascii() and part.isprintable() else visible(part, breaks=True)
            yield f'<span class="{classes}">{shown}</span>' if classes else str(shown)
        place += len(text)


def _unified_rows(pairs: list[Pair], code: _Code) -> Iterator[str]:
    waiting: list[str] = []
    for pair in pairs:
        if pair.is_same:
            yield from waiting
            waiting = []
        if pair.old is not None and not pair.is_same:
            yield _row(pair.old, code.cell(pair.old, pair.old_marks, old=True))
        if pair.new is not None:
            row = _row(pair.new, code.cell(pair.new, pair.new_marks))
            if pair.is_same:
                yield row
            else:
                waiting.append(row)
    yield from waiting


def _row(line: Line, text: str) -> str:
    return (
        f'<tr class="{CLASSES[line.kind]}"><td class="number">{line.old or ""}</td>'
        f'<td class="number">{line.new or ""}</td><td class="sign">{SIGNS[line.kind]}</td>'
        f'<td class="code">{text}</td></tr>'
    )


def _split_rows(pairs: list[Pair], code: _Code) -> Iterator[str]:
    for pair in pairs:
        same = pair.is_same
        old = _half(
            pair.old, "" if pair.old is None else code.cell(pair.old, pair.old_marks, old=True), True, same
        )
        new = _half(pair.new, "" if pair.new is None else code.cell(pair.new, pair.new_marks), False, same)
        yield f"<tr>{old}{new}</tr>"


def _half(line: Line | None, text: str, old: bool, same: bool) -> str:
    if line is None:
        return '<td class="number none"></td><td class="sign none"></td><td class="code none"></td>'
    kind = " " if same else line.kind
    name = CLASSES[kind]
    number = line.old if old else line.new
    return (
        f'<td class="number {name}">{number or ""}</td><td class="sign {name}">{SIGNS[kind]}</td>'
        f'<td class="code {name}">{text}</td>'
    )
