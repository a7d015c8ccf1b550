"""What a person has viewed of a task's changes: whole files, and single hunks of them.

A file's mark holds for the two versions that were seen (blobs and modes), a hunk's for what it removes and adds, both
in whichever capture they are: what the agent changes again is open again, and nothing else is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from shared.errors import NotFound
from shared.review import patches
from shared.store.models import Capture, Task, ViewedFile, ViewedHunk

#: The workspace default `review` that lets only viewed files land; otherwise the landing says what is not viewed.
REQUIRED = "required"
VERSIONS = ("old_mode", "old_blob", "new_mode", "new_blob")
MODES = ("old_mode", "new_mode")
File = Mapping[str, Any]


class Standing(StrEnum):
    """How a changed file stands in a person's review; `changed` was viewed once, in another version."""

    OPEN = "open"
    VIEWED = "viewed"
    CHANGED = "changed"


@dataclass(frozen=True)
class Mark:
    """A changed file's standing; who marked it and when, None while it is open.

    `hunks` and how many of them are viewed are counted where the file is viewed in part, else they are 0.
    """

    standing: Standing
    viewed_by: str | None = None
    viewed_at: datetime | None = None
    hunks: int = 0
    hunks_viewed: int = 0

    @property
    def is_viewed(self) -> bool:
        return self.standing is Standing.VIEWED


@dataclass(frozen=True)
class HunkMark:
    """One hunk of a file, by its key; who viewed it and when, None while it is open."""

    key: str
    header: str
    viewed_by: str | None = None
    viewed_at: datetime | None = None

    @property
    def is_viewed(self) -> bool:
        return self.viewed_at is not None


OPEN = Mark(Standing.OPEN)
Seen = Mapping[str, ViewedHunk]


@dataclass(frozen=True)
class _Known:
    """What is kept of one file: the version that was viewed, and the hunks by their keys."""

    file: ViewedFile | None
    hunks: Seen

    def is_this(self, file: File) -> bool:
        return self.file is not None and self.file.content == content_of(file)


@dataclass(frozen=True)
class Review:
    """The marks of a capture's files, by `name_of`."""

    capture_id: str
    marks: dict[str, Mark]
    places: Mapping[str, int]
    known: Mapping[str, _Known]

    @property
    def total(self) -> int:
        return len(self.marks)

    @property
    def viewed(self) -> int:
        return sum(mark.is_viewed for mark in self.marks.values())

    @property
    def in_part(self) -> list[Mark]:
        """The marks of files of which some hunks are viewed."""
        return [mark for mark in self.marks.values() if mark.hunks_viewed and not mark.is_viewed]

    def of(self, file: File) -> Mark:
        return self.marks.get(name_of(file), OPEN)

    def hunks(self, file: File) -> list[HunkMark]:
        """How each hunk of the file stands; none where it has no lines, or is too long."""
        found = patches.hunks(self.capture_id, self.places[name_of(file)])
        known = self.known.get(name_of(file), NOTHING)
        whole = known.file if known.is_this(file) else None
        rows = [known.hunks.get(key, whole) for key in found.keys]
        return [
            HunkMark(key, header, *((row.viewed_by, row.viewed_at) if row is not None else ()))
            for key, header, row in zip(found.keys, found.headers, rows, strict=True)
        ]


NOTHING = _Known(None, {})


def name_of(file: File) -> str:
    """A captured file's path as text that no other file has."""
    return str(file.get("path_b64") or file["path"])


def named(files: Iterable[File], path: str) -> File:
    """The file with this path, old path or path in base64. Raises NotFound."""
    for file in files:
        if path in (file.get("path"), file.get("path_b64"), file.get("old_path")):
            return file
    raise NotFound("This file is not among the task's changes.")


def blob_of(file: File, side: str) -> str | None:
    """The blob of a captured file's `old` or `new` version; None where it has none."""
    blob = file.get(f"{side}_blob")
    return str(blob) if blob else None


def of(task: Task, capture: Capture | None, only: File | None = None) -> Review:
    """How the files of a capture of the task stand, or `only` one of them."""
    if capture is None:
        return Review("", {}, {}, {})
    known = _known(task, only)
    places = {name_of(file): index for index, file in enumerate(capture.files) if only in (None, file)}
    found = {
        name: _mark(capture.files[index], known.get(name, NOTHING), capture.id, index)
        for name, index in places.items()
    }
    return Review(capture.id, found, places, known)


def _known(task: Task, only: File | None) -> dict[str, _Known]:
    files = {row.path: row for row in _rows(ViewedFile, task, only)}
    hunks: dict[str, dict[str, ViewedHunk]] = {}
    for row in _rows(ViewedHunk, task, only):
        hunks.setdefault(row.path, {})[row.hunk] = row
    return {path: _Known(files.get(path), hunks.get(path, {})) for path in {*files, *hunks}}


def _rows(table: type[ViewedFile | ViewedHunk], task: Task, only: File | None) -> Any:
    query = table.select().where(table.task == task.number)
    return query if only is None else query.where(table.path == name_of(only))


def _mark(file: File, known: _Known, capture_id: str, index: int) -> Mark:
    if known.file is not None and known.is_this(file):
        return Mark(Standing.VIEWED, known.file.viewed_by, known.file.viewed_at)
    keys = patches.hunks(capture_id, index).keys if known.hunks else ()
    viewed = [known.hunks[key] for key in keys if key in known.hunks]
    if keys and len(viewed) == len(keys) and not _is_more_than_hunks(file, known.file):
        last = max(viewed, key=lambda row: row.viewed_at)
        return Mark(Standing.VIEWED, last.viewed_by, last.viewed_at)
    counts = (len(keys), len(viewed)) if viewed else (0, 0)
    if known.file is None:
        return Mark(Standing.OPEN, None, None, *counts)
    return Mark(Standing.CHANGED, known.file.viewed_by, known.file.viewed_at, *counts)


def _is_more_than_hunks(file: File, known: ViewedFile | None) -> bool:
    """Whether the file's mode changed as well, and was not seen to."""
    modes = [file.get(name) for name in MODES]
    if known is not None:
        seen = dict(zip(VERSIONS, str(known.content).split(" "), strict=True))
        return [mode or "-" for mode in modes] != [seen[name] for name in MODES]
    return all(modes) and modes[0] != modes[1]


def content_of(file: File) -> str:
    """Both versions of a captured file, as text that is the same only for the same change."""
    return " ".join(str(file.get(name) or "-") for name in VERSIONS)
