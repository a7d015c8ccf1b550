"""The stored patch of a capture, read one file at a time."""

from __future__ import annotations

import re
from functools import lru_cache

from shared.store.database import raw
from shared.store.models import Capture

#: One file's patch beyond this is not drawn; its first lines are.
HUGE_BYTES = 1024 * 1024
DRAWN_LINES = 5_000
#: At a line's beginning only a file's header says this: every other line of a patch begins with another mark.
HEADER = re.compile(rb"^diff --git ", re.MULTILINE)


@lru_cache(maxsize=64)
def sections(capture_id: str) -> list[tuple[int, int]]:
    """(offset, length) of each file's part in a capture's patch; a capture never changes."""
    row = Capture.get_by_id(capture_id)
    text = bytes(row.patch)
    starts = [found.start() for found in HEADER.finditer(text)] + [len(text)]
    places = []
    place = 0
    for given in row.files:
        pieces = 2 if given.get("status") == "type-changed" else 1  # git writes a deletion and an addition
        if place + pieces >= len(starts):
            break
        places.append((starts[place], starts[place + pieces] - starts[place]))
        place += pieces
    return places


def section(capture_id: str, index: int) -> bytes:
    """One file's part of the patch, without reading the rest."""
    places = sections(capture_id)
    if index >= len(places):
        return b""
    start, length = places[index]
    found = (
        raw()
        .execute(
            "SELECT substr(patch, ?, ?) FROM capture WHERE id = ?",
            (start + 1, min(length, HUGE_BYTES), capture_id),
        )
        .fetchone()
    )
    return bytes(found[0]) if found else b""
