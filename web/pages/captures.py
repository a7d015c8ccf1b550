"""A stored capture or comparison as pages read it: its files, and what can be shown of each."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from shared.errors import NotFound
from shared.review import marks
from shared.review.patches import HUGE_BYTES, sections
from shared.store.models import INSERTED, Capture, Comparison, Task

#: More changed lines than this are loaded when asked for (web.md 2.1).
MANY_LINES = 400
MOST_FILES = 1_000
LETTERS = {
    "added": "A", "modified": "M", "deleted": "D", "renamed": "R", "copied": "C", "type-changed": "T",
}  # fmt: skip
FLAGS = {
    "auto-executed": "runs by itself",
    "link-outside": "links outside the repository",
    "ignore-rules": "changes what git ignores",
    "outside-globs": "not among the allowed files",
}
#: Generated files: a person rarely reads them, so they wait folded.
GENERATED = re.compile(
    r"(^|/)(package-lock\.json|yarn\.lock|pnpm-lock\.yaml|Cargo\.lock|poetry\.lock|uv\.lock|go\.sum)$|\.min\.(js|css)$|\.map$"
)


@dataclass(frozen=True)
class File:
    """One changed file; `state` is `lines`, `folded`, `binary`, `submodule`, `same` (only name or mode) or `missing`."""

    index: int
    name: str
    key: str
    old_name: str | None
    status: str
    added: int
    removed: int
    state: str
    flags: list[str]
    modes: str
    #: Its old version and its new one, None where there is none.
    blobs: tuple[str | None, str | None]

    @property
    def letter(self) -> str:
        return LETTERS.get(self.status, "M")

    @property
    def folder(self) -> str:
        return self.name.rpartition("/")[0]

    @property
    def base(self) -> str:
        return self.name.rpartition("/")[2]


Row = TypeVar("Row", Capture, Comparison)


@dataclass(frozen=True)
class Wanted:
    """Which files a page lists: the `part`-th `most` of those that have `words` in their paths; rather the part that
    holds the file that is `asked` for, by its path or key.
    """

    part: int = 1
    words: str = ""
    asked: str = ""
    most: int = MOST_FILES


EVERY = Wanted()


@dataclass(frozen=True)
class Changes(Generic[Row]):
    """A capture or a comparison without its patch; `files` are a part of the `matching` ones, the first being `first`."""

    row: Row
    files: list[File]
    total: int
    added: int
    removed: int
    matching: int
    part: int
    parts: int
    first: int


def latest(task: Task, capture_id: str = "") -> Capture | None:
    """The capture of this id if it is the task's, else the newest; its patch is not read."""
    fields = [field for field in Capture._meta.sorted_fields if field is not Capture.patch]
    query = Capture.select(*fields).where(Capture.task == task.number)
    query = query.where(Capture.id == capture_id) if capture_id else query.order_by(INSERTED.desc())
    found: Capture | None = query.first()
    return found


def changes(row: Row, wanted: Wanted = EVERY) -> Changes[Row]:
    places = sections(row.id)
    listed = row.files
    words = wanted.words.lower()
    matching = [number for number, given in enumerate(listed) if words in str(given["path"]).lower()]
    parts = max(1, -(-len(matching) // wanted.most))
    place = _place(listed, matching, wanted.asked)
    part = min(max(1, wanted.part), parts) if place is None else place // wanted.most + 1
    start = (part - 1) * wanted.most
    return Changes(
        row,
        [_file(number, listed[number], places) for number in matching[start : start + wanted.most]],
        len(listed),
        sum(int(given.get("additions") or 0) for given in listed),
        sum(int(given.get("deletions") or 0) for given in listed),
        len(matching),
        part,
        parts,
        start + 1,
    )


def _place(listed: Sequence[marks.File], matching: Sequence[int], asked: str) -> int | None:
    """Where among the matching files the one with this path or key is."""
    if not asked:
        return None
    found = (
        place
        for place, number in enumerate(matching)
        if asked in (listed[number]["path"], key_of(listed[number]))
    )
    return next(found, None)


def find(row: Capture | Comparison, path: str, key: str = "") -> File:
    """The file with this path, old path or path in base64, or with this key. Raises NotFound."""
    files = row.files
    given = with_key(files, key) if key else marks.named(files, path)
    return _file(files.index(given), given, sections(row.id))


def with_key(files: Sequence[marks.File], key: str) -> marks.File:
    """The captured file whose name has this key. Raises NotFound."""
    for given in files:
        if key == key_of(given):
            return given
    raise NotFound("This file is not among the task's changes.")


def key_of(given: Mapping[str, Any]) -> str:
    """A file's name as an address and an id can carry it, whatever characters it has."""
    return hashlib.sha256(marks.name_of(given).encode("utf-8", "replace")).hexdigest()[:12]


def _file(number: int, given: Mapping[str, Any], places: list[tuple[int, int]]) -> File:
    name = str(given["path"])
    added, removed = int(given.get("additions") or 0), int(given.get("deletions") or 0)
    modes = [str(given.get(which) or "") for which in ("old_mode", "new_mode")]
    return File(
        index=number,
        name=name,
        key=key_of(given),
        old_name=given.get("old_path"),
        status=str(given.get("status")),
        added=added,
        removed=removed,
        state=_state(number, given, places, added + removed, modes),
        flags=[FLAGS.get(flag, flag) for flag in given.get("flags") or ()],
        modes=" → ".join(modes) if all(modes) and modes[0] != modes[1] else "",
        blobs=(given.get("old_blob"), given.get("new_blob")),
    )


def _state(
    number: int, given: Mapping[str, Any], places: list[tuple[int, int]], lines: int, modes: list[str]
) -> str:
    if "160000" in modes:
        return "submodule"
    if given.get("binary"):
        return "binary"
    if number >= len(places):
        return "missing"
    if lines == 0:
        return "same"
    if lines > MANY_LINES or places[number][1] > HUGE_BYTES or GENERATED.search(str(given["path"])):
        return "folded"
    return "lines"
