"""Text from agents, made safe to show: no escape sequence reaches the terminal but colours."""

from __future__ import annotations

import re
import unicodedata

#: Strings a terminal obeys (OSC, DCS, SOS, PM, APC), with 7- or 8-bit introducers; one without an end is cut
#: where the next escape begins, so every pattern takes linear time.
_STRINGS = r"(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
_SGR = r"\x1b\[[0-9;:]*m"
_CSI = r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
_OTHER = r"\x1b[ -/]*[0-~]?"
_CONTROLS = r"[\x00-\x08\x0b-\x1f\x7f-\x9f]"
#: Characters that reorder or hide what follows, so that shown and real text differ.
_BIDI = "[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
_SEQUENCE = re.compile(f"({_SGR})|{_STRINGS}|{_CSI}|{_OTHER}|{_CONTROLS}|{_BIDI}")
_RESET = "\x1b[0m"


def safe(text: str) -> str:
    """`text` with tabs, line ends and colours kept and every other control removed.

    A carriage return becomes a line end, so that nothing already shown can be overwritten; colours end with the
    text.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    cleaned = _SEQUENCE.sub(lambda match: match.group(1) or "", text)
    return cleaned + _RESET if "\x1b" in cleaned else cleaned


def plain(text: str) -> str:
    """`safe`, without colours."""
    return _SEQUENCE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def one_line(text: str) -> str:
    """`plain`, with every run of white space one blank: for titles, table cells and sentences."""
    return " ".join(plain(text).split())


def width(text: str) -> int:
    """Columns `text` takes: wide characters two, combining ones none."""
    return sum(
        0 if unicodedata.combining(mark) else 2 if unicodedata.east_asian_width(mark) in "WF" else 1
        for mark in text
    )


def fit(text: str, columns: int) -> str:
    """`text` cut to `columns`, with an ellipsis where something is missing."""
    if width(text) <= columns:
        return text
    kept = ""
    for mark in text:
        if width(kept + mark) > columns - 1:
            break
        kept += mark
    return kept + "…"
