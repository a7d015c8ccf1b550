"""Reads a growing file of JSON lines from where the last look ended, in bounded memory."""

from __future__ import annotations

import json
import os
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from workers import beneath

CHUNK_BYTES = 256 * 1024
#: A longer line (an embedded picture, a huge tool result) is skipped whole.
LINE_BYTES = 4 * 1024 * 1024
#: What stands before the place is compared before reading goes on there: a rewritten file is read anew.
CHECK_BYTES = 64

_decode = json.JSONDecoder().decode


@dataclass(frozen=True)
class Place:
    """How far a file was read: `offset` bytes, and a checksum of the last bytes before it."""

    offset: int = 0
    check: int = 0


class Interrupted(Exception):
    """The reader was asked to stop."""


def goes_on(path: str, place: Place) -> bool:
    """Whether the file still has what was read of it, so that reading may go on there."""
    file = beneath.open_regular(path)
    try:
        return os.fstat(file).st_size >= place.offset and _check(file, place.offset) == place.check
    finally:
        os.close(file)


def read(
    path: str, place: Place, take: Callable[[dict[str, Any]], None], stopping: Callable[[], bool]
) -> Place:
    """Hand every JSON object of the file after `place` to `take`; returns the new place.

    A last line without its end counts once it is whole JSON. Other lines, and bytes that are not UTF-8, do no harm.
    Raises OSError, and Interrupted when `stopping` says so.
    """
    file = beneath.open_regular(path)
    try:
        offset = place.offset
        for line, end, is_ended in each(file, offset, stopping):
            found = parsed(line)
            if found is not None:
                take(found)
            elif not is_ended:
                break
            offset = end
        return Place(offset, _check(file, offset))
    finally:
        os.close(file)


def parsed(line: bytes) -> dict[str, Any] | None:
    """The JSON object in a line, or None."""
    try:
        found = _decode(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def each(
    file: int, offset: int, stopping: Callable[[], bool], until: int = sys.maxsize
) -> Iterator[tuple[bytes, int, bool]]:
    """(line without its newline, where it ends, whether it has); a line that is too long is empty.

    What stands from `until` on is not read.
    """
    rest, too_long = b"", False
    while chunk := os.pread(file, min(CHUNK_BYTES, until - offset), offset):
        if stopping():
            raise Interrupted
        offset += len(chunk)
        *whole, last = (rest + chunk).split(b"\n")
        ends = offset - len(last) - sum(len(line) + 1 for line in whole)
        for line in whole:
            ends += len(line) + 1
            yield (b"" if too_long else line), ends, True
            too_long = False
        rest = b"" if too_long else last
        if len(rest) > LINE_BYTES:
            rest, too_long = b"", True
    if rest:
        yield rest, offset, False


def _check(file: int, offset: int) -> int:
    start = max(0, offset - CHECK_BYTES)
    return zlib.crc32(os.pread(file, offset - start, start))
