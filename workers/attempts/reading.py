"""Frames of an attempt's log, as lines: byte-safe, bounded, and resumable from stored state."""

from __future__ import annotations

import base64
import codecs

#: One event's text; a longer line of plain output is shown in pieces.
PIECE_BYTES = 64 * 1024
#: One message of an agent's protocol; more is cut, and the cut is an observation of its own.
MESSAGE_BYTES = 8 * 1024 * 1024


class LineReader:
    """Splits each stream's bytes into lines; invalid UTF-8 becomes U+FFFD, everything else is kept.

    `pieces` says what happens to a line that is not finished yet: shown in pieces (plain output), or kept until
    its newline (a protocol).
    """

    def __init__(self, state: dict[str, str] | None, *, pieces: bool) -> None:
        self._pieces = pieces
        self._limit = PIECE_BYTES if pieces else MESSAGE_BYTES
        self._tails = {stream: base64.b64decode(text) for stream, text in (state or {}).items()}
        self._skipping: set[str] = set()
        self.last_line = ""

    def state(self) -> dict[str, str] | None:
        """The unfinished lines, for `__init__`; None when there are none."""
        kept = {stream: base64.b64encode(tail).decode() for stream, tail in self._tails.items() if tail}
        return kept or None

    def feed(self, stream: str, payload: bytes) -> tuple[list[str], list[str]]:
        """(whole lines, pieces of the unfinished one that are over the limit), in this order."""
        data = self._tails.pop(stream, b"") + payload
        end = data.rfind(b"\n")
        lines: list[str] = []
        if end >= 0:
            lines = data[:end].decode("utf-8", "replace").split("\n")
            data = data[end + 1 :]
            if stream in self._skipping:
                self._skipping.discard(stream)
                lines[0] = "…"
            self.last_line = lines[-1] or self.last_line
        pieces: list[str] = []
        if self._pieces:
            while len(data) > self._limit:
                text, data = _decoded(data, self._limit)
                pieces.append(text)
        elif len(data) > self._limit or stream in self._skipping:
            self._skipping.add(stream)
            data = b""
        if data:
            self._tails[stream] = data
        return lines, pieces

    def tail(self, stream: str) -> str:
        """Take what there is of an unfinished line, up to the last whole character."""
        data = self._tails.pop(stream, b"")
        text, rest = _decoded(data, len(data))
        if rest:
            self._tails[stream] = rest
        self.last_line = text or self.last_line
        return text

    def rest(self, stream: str) -> str:
        """Take all of an unfinished line: the stream has ended."""
        return self._tails.pop(stream, b"").decode("utf-8", "replace")

    def has_tail(self, stream: str) -> bool:
        return bool(self._tails.get(stream))


def _decoded(data: bytes, limit: int) -> tuple[str, bytes]:
    """The text of at most `limit` bytes, and the bytes left, an incomplete character among them."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(data[:limit])
    return text, decoder.getstate()[0] + data[limit:]


def pieces_of(text: str, size: int = PIECE_BYTES // 4) -> list[str]:
    """A long line in pieces that each fit an event."""
    return [text[start : start + size] for start in range(0, len(text), size)] or [""]
