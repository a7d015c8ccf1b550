"""The stored patch of a capture or a comparison, read one file at a time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from shared.review import patch
from shared.store.database import raw
from shared.store.models import Capture, Comparison

#: One file's patch beyond this is not drawn; its first lines are.
HUGE_BYTES = 1024 * 1024
DRAWN_LINES = 5_000
#: At a line's beginning only a file's header says this: every other line of a patch begins with another mark.
HEADER = re.compile(rb"^diff --git ", re.MULTILINE)


@lru_cache(maxsize=64)
def sections(capture_id: str) -> list[tuple[int, int]]:
    """(offset, length) of each file's part in the patch of a capture or a comparison; neither ever changes."""
    row = Capture.get_or_none(Capture.id == capture_id) or Comparison.get_by_id(capture_id)
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
            "SELECT substr(patch, :start, :length) FROM capture WHERE id = :id"
            " UNION ALL SELECT substr(patch, :start, :length) FROM comparison WHERE id = :id",
            {"start": start + 1, "length": min(length, HUGE_BYTES), "id": capture_id},
        )
        .fetchone()
    )
    return bytes(found[0]) if found else b""


@dataclass(frozen=True)
class Hunks:
    """The hunks of one captured file by `patch.keys`, with their header lines."""

    keys: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()


@lru_cache(maxsize=512)
def hunks(capture_id: str, index: int) -> Hunks:
    """The hunks of a file of a capture, which never changes; none where they are too long to be drawn whole."""
    places = sections(capture_id)
    if index >= len(places):
        return Hunks()
    found = patch.parse(section(capture_id, index), DRAWN_LINES)
    if places[index][1] > HUGE_BYTES or found.lines >= DRAWN_LINES:
        return Hunks()
    heads = (f"{hunk.header} {hunk.around}".rstrip() for hunk in found.hunks)
    return Hunks(tuple(patch.keys(found.hunks)), tuple(heads))
