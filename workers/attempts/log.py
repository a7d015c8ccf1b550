"""Reads an attempt's log from any stored offset, while it grows and after its end."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from shared.errors import AgentLost
from workers.shim.frames import HEADER_BYTES, MAX_PAYLOAD_BYTES, DamagedLog, Decoder, Frame

LIMIT_BYTES = 1 << 20


def read(path: Path, offset: int, limit_bytes: int = LIMIT_BYTES) -> tuple[list[Frame], int]:
    """The whole frames from `offset` on, about `limit_bytes` of them but at least one, and the next offset.

    A log that is not there yet, or a torn last frame, gives what there is: ask again from the returned offset.
    Raises AgentLost where the file holds no frames.
    """
    with suppress(FileNotFoundError):
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
        try:
            return _read(file, path, offset, limit_bytes)
        finally:
            os.close(file)
    return [], offset


def _read(file: int, path: Path, offset: int, limit_bytes: int) -> tuple[list[Frame], int]:
    decoder = Decoder()
    at, end = offset, offset + limit_bytes
    found: list[Frame] = []
    while data := os.pread(file, min(end - at, LIMIT_BYTES), at):
        try:
            found += decoder.feed(data)
        except DamagedLog as error:
            raise AgentLost(f"The log {path} is damaged behind byte {offset}: {error}.") from error
        at += len(data)
        if at >= end:
            if found or end > offset + limit_bytes:
                break
            end += HEADER_BYTES + MAX_PAYLOAD_BYTES  # one frame larger than the limit still comes
    return found, at - decoder.pending
