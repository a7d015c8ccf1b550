"""The frame: how the bytes of an attempt stand in its log, each with its stream and the time it arrived."""

from __future__ import annotations

import struct

PROTOCOL = 1  # of the whole boundary: attempt directory, control socket, exit record
VERSION = 1  # of a frame
STDIN, STDOUT, STDERR, NOTE = range(4)
MAX_PAYLOAD_BYTES = 16 << 20
_HEADER = struct.Struct(">BBQI")  # version, stream, microseconds since the epoch, payload length
HEADER_BYTES = _HEADER.size


class Frame:
    """One piece of a stream. `time_us` is when the shim took it, in microseconds since the epoch.

    A plain class: the shim shares this module, and the modules that would write it shorter cost it 3 ms.
    """

    __slots__ = ("payload", "stream", "time_us")

    def __init__(self, stream: int, time_us: int, payload: bytes) -> None:
        self.stream, self.time_us, self.payload = stream, time_us, payload

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Frame) and self._fields() == other._fields()

    def __hash__(self) -> int:
        return hash(self._fields())

    def __repr__(self) -> str:
        return f"Frame(stream={self.stream}, time_us={self.time_us}, payload={self.payload[:40]!r})"

    def _fields(self) -> tuple[int, int, bytes]:
        return self.stream, self.time_us, self.payload


class DamagedLog(ValueError):
    """Bytes that no shim wrote. `log.read` turns it into the error tree's AgentLost."""


def header(stream: int, time_us: int, length_bytes: int) -> bytes:
    """The bytes that precede a payload; a longer one than MAX_PAYLOAD_BYTES must go into several frames."""
    return _HEADER.pack(VERSION, stream, time_us, length_bytes)


def encode(frame: Frame) -> bytes:
    """The frame as it stands in a log."""
    return header(frame.stream, frame.time_us, len(frame.payload)) + frame.payload


class Decoder:
    """Turns a log's bytes, in pieces of any size, into frames; a torn last frame waits for the rest of it."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def pending(self) -> int:
        """Bytes of a frame that is not complete yet."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that are complete now. Raises DamagedLog where no frame of this version stands."""
        self._buffer += data
        frames: list[Frame] = []
        at = 0
        while len(self._buffer) - at >= HEADER_BYTES:
            version, stream, time_us, length = _HEADER.unpack_from(self._buffer, at)
            if version != VERSION or stream > NOTE or length > MAX_PAYLOAD_BYTES:
                raise DamagedLog(f"there is no frame of version {VERSION} at byte {at} of this piece")
            end = at + HEADER_BYTES + length
            if end > len(self._buffer):
                break
            frames.append(Frame(stream, time_us, bytes(self._buffer[at + HEADER_BYTES : end])))
            at = end
        del self._buffer[:at]
        return frames
