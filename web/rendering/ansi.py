"""Terminal output as HTML: colours become classes, overwriting is carried out, everything else of a terminal goes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from markupsafe import Markup, escape

from web.rendering.marks import without_bidi

#: In order: SGR, any other CSI, strings (OSC, DCS, APC, PM, SOS) to their end, other escapes, carriage return and
#: backspace, the rest of C0 and C1. A string without an end stops at the next escape: it must not eat the line.
TOKEN = re.compile(
    r"(?:\x1b\[|\x9b)(?P<sgr>[0-9;:]*)m"
    r"|(?:\x1b\[|\x9b)(?P<erase>[0-2]?)K"
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
    r"|(?P<move>[\r\b])"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)
PLAIN = re.compile(r"[^\x00-\x08\x0b-\x1f\x7f-\x9f]*")
NAMES = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
#: SGR parameters that switch something on, and those that switch it off.
ON = {1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse", 9: "strike", 21: "underline"}
OFF = {22: ("bold", "dim"), 23: ("italic",), 24: ("underline",), 27: ("inverse",), 29: ("strike",)}
GREY = 40
#: A progress bar rewrites one line; further than this no cursor goes.
COLUMNS = 20_000


@dataclass(frozen=True, slots=True)
class Style:
    """What the next character looks like; `fore` and `back` are names of `NAMES` or "dim"."""

    fore: str = ""
    back: str = ""
    marks: frozenset[str] = frozenset()

    @property
    def classes(self) -> str:
        found = [f"ansi-{mark}" for mark in sorted(self.marks)]
        if self.fore:
            found.append(f"ansi-{self.fore}")
        if self.back:
            found.append(f"ansi-on-{self.back}")
        return " ".join(found)


PLAIN_STYLE = Style()


class Run(NamedTuple):
    text: str
    style: Style


class Terminal:
    """One stream's output; a colour that a line leaves on holds for the next."""

    def __init__(self) -> None:
        self.style = PLAIN_STYLE

    def line(self, text: str) -> Markup:
        """One line without its newline."""
        text = text.rstrip("\r")
        if self.style == PLAIN_STYLE and PLAIN.fullmatch(text):
            return escape(without_bidi(text))
        runs = self._overwritten(text) if "\r" in text or "\b" in text else self._runs(text)
        return Markup("").join(_span(run) for run in _joined(runs))

    def _runs(self, text: str) -> Iterator[Run]:
        place = 0
        for found in TOKEN.finditer(text):
            if found.start() > place:
                yield Run(text[place : found.start()], self.style)
            place = found.end()
            if found["sgr"] is not None:
                self.style = styled(self.style, found["sgr"])
        yield Run(text[place:], self.style)

    def _overwritten(self, text: str) -> Iterator[Run]:
        """What is left in each column when the line is done."""
        cells: list[Run] = []
        column = place = 0
        for found in [*TOKEN.finditer(text), None]:
            end = len(text) if found is None else found.start()
            for mark in text[place:end]:
                cell = Run(mark, self.style)
                if column < len(cells):
                    cells[column] = cell
                elif column < COLUMNS:
                    cells.append(cell)
                column += 1
            if found is None:
                break
            place = found.end()
            if found["sgr"] is not None:
                self.style = styled(self.style, found["sgr"])
            elif found["move"]:
                column = 0 if found["move"] == "\r" else max(0, column - 1)
            elif found["erase"] is not None:
                _erase(cells, column, found["erase"])
        yield from cells


def _erase(cells: list[Run], column: int, how: str) -> None:
    if how in ("", "0"):
        del cells[column:]
    else:
        end = len(cells) if how == "2" else min(column + 1, len(cells))
        cells[:end] = [Run(" ", PLAIN_STYLE)] * end


def styled(style: Style, parameters: str) -> Style:
    """The style after one SGR sequence; 38 and 48 take their arguments with them."""
    codes = [int(part) if part and len(part) < 6 else 0 for part in re.split("[;:]", parameters)]
    place = 0
    while place < len(codes):
        code = codes[place]
        place += 1
        if code in (38, 48, 58):
            taken, colour = _extended(codes[place:])
            place += taken
            if code != 58:
                style = replace(style, fore=colour) if code == 38 else replace(style, back=colour)
        else:
            style = _changed(style, code)
    return style


def _changed(style: Style, code: int) -> Style:
    if code == 0:
        return PLAIN_STYLE
    if code in ON:
        return replace(style, marks=style.marks | {ON[code]})
    if code in OFF:
        return replace(style, marks=style.marks.difference(OFF[code]))
    if code == 39:
        return replace(style, fore="")
    if code == 49:
        return replace(style, back="")
    tens, number = divmod(code, 10)
    if tens in (3, 9) and number < 8:
        return replace(style, fore=_basic(number))
    if tens in (4, 10) and number < 8:
        return replace(style, back=_basic(number))
    return style


def _extended(arguments: list[int]) -> tuple[int, str]:
    """(how many arguments a 38 or 48 takes, the colour)."""
    if arguments[:1] == [5]:
        return 2, _indexed(arguments[1]) if len(arguments) > 1 else ""
    if arguments[:1] == [2]:
        red, green, blue = [*arguments[1:4], 0, 0, 0][:3]
        return 4, nearest(red, green, blue)
    return min(1, len(arguments)), ""


def _basic(number: int) -> str:
    """White and black are the page's own text colours, or nothing could be read in one of the themes."""
    name = NAMES[number]
    if name == "black":
        return "dim"
    return "" if name == "white" else name


def _indexed(number: int) -> str:
    if number < 16:
        return _basic(number % 8)
    if number < 232:
        cube = number - 16
        red, green, blue = ((step * 40 + 55) if step else 0 for step in (cube // 36, cube // 6 % 6, cube % 6))
        return nearest(red, green, blue)
    level = min(number, 255) - 232
    return nearest(level * 10 + 8, level * 10 + 8, level * 10 + 8)


def nearest(red: int, green: int, blue: int) -> str:
    """The theme's colour with the hue of this one: text keeps its contrast in light and dark."""
    parts = (red, green, blue)
    high, low = max(parts), min(parts)
    if high - low < GREY:
        return "dim" if high < 128 else ""
    middle = (high + low) / 2
    strong = (red >= middle, green >= middle, blue >= middle)
    return {
        (True, False, False): "red",
        (False, True, False): "green",
        (False, False, True): "blue",
        (True, True, False): "yellow",
        (True, False, True): "magenta",
        (False, True, True): "cyan",
    }.get(strong, "")


def _joined(runs: Iterator[Run]) -> Iterator[Run]:
    """Neighbours of one style as one run."""
    last: Style | None = None
    texts: list[str] = []
    for run in runs:
        if run.style != last:
            if texts and last is not None:
                yield Run("".join(texts), last)
            texts, last = [], run.style
        texts.append(run.text)
    if texts and last is not None:
        yield Run("".join(texts), last)


def _span(run: Run) -> Markup:
    text = escape(without_bidi(run.text))
    classes = run.style.classes
    return Markup('<span class="{}">{}</span>').format(classes, text) if classes and run.text else text


def stripped(text: str) -> str:
    """Lines of output as plain text, as they would be read on a screen."""
    terminal = Terminal()
    lines = []
    for line in text.split("\n"):
        line = line.rstrip("\r")
        both = terminal._overwritten(line) if "\r" in line or "\b" in line else terminal._runs(line)
        lines.append("".join(run.text for run in both))
    return "\n".join(lines)
