"""What a person has viewed of a task's changes.

A mark holds for the two versions of a file that were seen (blobs and modes), whichever capture they are in: what the
agent changes again is open again, and nothing else is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from shared.clock import now
from shared.errors import NotFound
from shared.store.database import transaction
from shared.store.models import Task, ViewedFile

#: The workspace default `review` that lets only viewed files land; otherwise the landing says what is not viewed.
REQUIRED = "required"
VERSIONS = ("old_mode", "old_blob", "new_mode", "new_blob")
File = Mapping[str, Any]


class Standing(StrEnum):
    """How a changed file stands in a person's review; `changed` was viewed once, in another version."""

    OPEN = "open"
    VIEWED = "viewed"
    CHANGED = "changed"


@dataclass(frozen=True)
class Mark:
    """A changed file's standing; who marked it and when, None while it is open."""

    standing: Standing
    viewed_by: str | None = None
    viewed_at: datetime | None = None


OPEN = Mark(Standing.OPEN)


@dataclass(frozen=True)
class Review:
    """The marks of a capture's files, by `name_of`."""

    marks: dict[str, Mark]

    @property
    def total(self) -> int:
        return len(self.marks)

    @property
    def viewed(self) -> int:
        return sum(mark.standing is Standing.VIEWED for mark in self.marks.values())

    def of(self, file: File) -> Mark:
        return self.marks.get(name_of(file), OPEN)


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


def of(task: Task, files: Iterable[File]) -> Review:
    """How these files of a capture of the task stand."""
    known = {row.path: row for row in ViewedFile.select().where(ViewedFile.task == task.number)}
    return Review({name_of(file): _mark(file, known.get(name_of(file))) for file in files})


def _mark(file: File, known: ViewedFile | None) -> Mark:
    if known is None:
        return OPEN
    standing = Standing.VIEWED if known.content == content_of(file) else Standing.CHANGED
    return Mark(standing, known.viewed_by, known.viewed_at)


def content_of(file: File) -> str:
    """Both versions of a captured file, as text that is the same only for the same change."""
    return " ".join(str(file.get(name) or "-") for name in VERSIONS)


def mark(task: Task, file: File, by: str) -> None:
    """Record that `by` has viewed this version of the file."""
    values = {"content": content_of(file), "viewed_by": by, "viewed_at": now()}
    with transaction():
        ViewedFile.insert(task=task.number, path=name_of(file), **values).on_conflict(
            conflict_target=[ViewedFile.task, ViewedFile.path], update=values
        ).execute()


def reopen(task: Task, file: File) -> None:
    """Take the file's mark away."""
    with transaction():
        ViewedFile.delete().where(ViewedFile.task == task.number, ViewedFile.path == name_of(file)).execute()
