"""One file's part of a patch as hunks and lines."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

HUNK = re.compile(r"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)$", re.DOTALL)
LITERAL = re.compile(r"^(?:literal|delta) (\d+)$")
#: 128 bits: an agent that chooses both contents finds no two of one name.
KEY_CHARACTERS = 32


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a hunk: `kind` is " ", "+" or "-"; numbers are those of the two versions; `bare` has no newline."""

    kind: str
    old: int | None
    new: int | None
    text: str
    bare: bool = False


@dataclass(frozen=True)
class Hunk:
    """Lines that follow each other; `around` is what git found they stand in."""

    old_start: int
    old_count: int
    new_start: int
    new_count: int
    around: str
    lines: list[Line]

    @property
    def header(self) -> str:
        return f"@@ -{self.old_start},{self.old_count} +{self.new_start},{self.new_count} @@"


@dataclass
class FilePatch:
    """What a patch says of one file."""

    hunks: list[Hunk] = field(default_factory=list)
    binary: bool = False
    #: Sizes in bytes of the binary versions as git writes them: new, old.
    sizes: list[int] = field(default_factory=list)

    @property
    def lines(self) -> int:
        return sum(len(hunk.lines) for hunk in self.hunks)


def parse(text: bytes, most: int = 1_000_000) -> FilePatch:
    """Read one file's patch, at most `most` lines of it; bytes that are no UTF-8 are written as `\\xNN`."""
    found = FilePatch()
    hunk: Hunk | None = None
    left_old = left_new = old = new = count = 0
    for line in text.decode("utf-8", "backslashreplace").split("\n"):
        if hunk is not None and line.startswith("\\"):
            if hunk.lines:
                hunk.lines[-1] = replace(hunk.lines[-1], bare=True)
            continue
        if hunk is None or (left_old <= 0 and left_new <= 0):
            head = HUNK.match(line)
            if head is None:
                _aside(found, line)
                continue
            old, new = int(head[1]), int(head[3])
            left_old, left_new = int(head[2] or 1), int(head[4] or 1)
            hunk = Hunk(old, left_old, new, left_new, head[5], [])
            found.hunks.append(hunk)
            continue
        count += 1
        if count > most:
            break
        kind = line[:1] or " "
        if kind == "+":
            hunk.lines.append(Line("+", None, new, line[1:]))
            new, left_new = new + 1, left_new - 1
        elif kind == "-":
            hunk.lines.append(Line("-", old, None, line[1:]))
            old, left_old = old + 1, left_old - 1
        else:
            hunk.lines.append(Line(" ", old, new, line[1:]))
            old, new, left_old, left_new = old + 1, new + 1, left_old - 1, left_new - 1
    return found


def keys(hunks: Sequence[Hunk]) -> list[str]:
    """A name for each hunk of a file, made of its removed and added lines alone: not of where they stand, nor of what
    is around them. Equal hunks are numbered (`…-2`).
    """
    counts: dict[str, int] = {}
    found = []
    for hunk in hunks:
        text = "".join(
            f"{line.kind}{line.text}{chr(10)}{'!' if line.bare else ''}"
            for line in hunk.lines
            if line.kind != " "
        )
        digest = hashlib.sha256(text.encode()).hexdigest()[:KEY_CHARACTERS]
        counts[digest] = counts.get(digest, 0) + 1
        found.append(digest if counts[digest] == 1 else f"{digest}-{counts[digest]}")
    return found


def _aside(found: FilePatch, line: str) -> None:
    if line.startswith(("GIT binary patch", "Binary files ")):
        found.binary = True
    elif found.binary and (size := LITERAL.match(line)):
        found.sizes.append(int(size[1]))
