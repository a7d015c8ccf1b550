"""Source code as runs of a few classes; the classes take their colours from the theme."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

#: More than this in one hunk, or in one line of it, stays plain: lexers are regular expressions over hostile text.
HUNK_CHARACTERS = 60_000
LINE_CHARACTERS = 2_000

#: (beginning of Pygments' short class, our class); the first that fits wins.
CLASSES = (
    ("c", "comment"), ("kt", "type"), ("k", "keyword"), ("ow", "keyword"), ("s", "string"), ("m", "number"),
    ("nf", "function"), ("fm", "function"), ("nc", "type"), ("nn", "type"), ("nb", "builtin"), ("bp", "builtin"),
    ("nt", "keyword"), ("na", "function"), ("nd", "builtin"), ("no", "number"), ("gh", "type"), ("gu", "type"),
    ("l", "string"),
)  # fmt: skip
Piece = tuple[str, str]


def highlighted(lines: Sequence[str], filename: str) -> list[list[Piece]]:
    """Each line as (class, text) pieces, the class empty for plain text."""
    text = "\n".join(lines)
    lexer = None
    if len(text) <= HUNK_CHARACTERS and all(len(line) <= LINE_CHARACTERS for line in lines):
        lexer = _lexer(filename.rpartition("/")[2])
    if lexer is None:
        return [[("", line)] for line in lines]
    found = _split(lexer.get_tokens_unprocessed(text))
    #: A lexer that loses or adds text would shift every line below: then the plain text is shown.
    if ["".join(piece for _, piece in line) for line in found] != list(lines):
        return [[("", line)] for line in lines]
    return found


def _split(tokens: Any) -> list[list[Piece]]:
    lines: list[list[Piece]] = [[]]
    for _, kind, value in tokens:
        name = _class(kind)
        for number, part in enumerate(value.split("\n")):
            if number:
                lines.append([])
            if part:
                lines[-1].append((name, part))
    return lines


@lru_cache(maxsize=512)
def _class(kind: Any) -> str:
    from pygments.token import STANDARD_TYPES

    while kind not in STANDARD_TYPES and kind.parent is not None:
        kind = kind.parent
    short = STANDARD_TYPES.get(kind, "")
    return next((name for start, name in CLASSES if short.startswith(start)), "")


@lru_cache(maxsize=256)
def _lexer(name: str) -> Any:
    """The lexer for a file's name; None for plain text. Pygments is imported by the first diff that needs it."""
    from pygments.lexers import find_lexer_class_for_filename

    try:
        found = find_lexer_class_for_filename(name[-200:])
    except (ValueError, OSError):
        return None
    if found is None or found.name in ("Text only", "Diff"):
        return None
    return found(stripnl=False, ensurenl=False)
