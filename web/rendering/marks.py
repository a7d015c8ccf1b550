"""Text whose characters cannot be seen, made visible: control, bidirectional and zero-width ones as code points."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from markupsafe import Markup, escape

#: Unassigned for a reader's eye though printable for Unicode: fillers and blanks that look like nothing.
UNSEEN = frozenset("\u00ad\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\u180e")
HIDDEN = frozenset(("Cc", "Cf", "Cs", "Co", "Zl", "Zp"))
#: What changes the order of the characters around it: the part of HIDDEN that lies about a line.
BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def is_hidden(mark: str) -> bool:
    """Whether a reader would not see this character."""
    if " " <= mark <= "~":
        return False
    return mark in UNSEEN or unicodedata.category(mark) in HIDDEN


def written(mark: str) -> str:
    """A hidden character as it is shown."""
    return {"\n": "↵", "\t": "⇥"}.get(mark) or f"⟦U+{ord(mark):04X}⟧"


def visible(text: object, breaks: bool = False) -> Markup:
    """Untrusted text, escaped, with what cannot be seen shown as code points.

    With `breaks` newlines and tabs stay what they are.
    """
    shown = str(text or "")
    if shown.isascii() and shown.isprintable():
        return escape(shown)
    return Markup("").join(_pieces(shown, "\n\t" if breaks else ""))


def spelled(text: object) -> str:
    """The same as plain text, for places that take no markup: options, attributes, titles."""
    return "".join(written(mark) if is_hidden(mark) else mark for mark in str(text or ""))


def without_bidi(text: str) -> str:
    """Text as it is, but for characters that reorder it, which are written out."""
    if text.isascii() or not BIDI.intersection(text):
        return text
    return "".join(written(mark) if mark in BIDI else mark for mark in text)


def _pieces(text: str, kept: str) -> Iterator[Markup]:
    start = 0
    for place, mark in enumerate(text):
        if mark in kept or not is_hidden(mark):
            continue
        yield escape(text[start:place])
        yield Markup('<span class="codepoint" title="{}">{}</span>').format(
            unicodedata.name(mark, "control character").lower(), written(mark)
        )
        start = place + 1
    yield escape(text[start:])
