"""Which files each task of a group changed, and where several made the same of one: read from their latest captures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import peewee

from shared.review import marks
from shared.store.models import INSERTED, Capture, Task

DELETED = "deleted"


@dataclass(frozen=True)
class Made:
    """What one task made of a file; `version` is the same letter for tasks that made the same of it."""

    file: Mapping[str, Any]
    version: str


@dataclass(frozen=True)
class FileAcross:
    """A file that one task at least changed: what each made of it, by the task's number."""

    path: str
    name: str
    by_task: dict[int, Made]

    @property
    def versions(self) -> int:
        return len({made.version for made in self.by_task.values()})


@dataclass(frozen=True)
class Across:
    """The tasks that have a capture, in the order given, and the files these change, by their names."""

    tasks: list[Task]
    files: list[FileAcross]

    def only(self, task: Task) -> int:
        """How many files no other task changed."""
        return sum(list(file.by_task) == [task.number] for file in self.files)


def across(rows: Sequence[Task]) -> Across:
    """What the latest captures of these tasks change."""
    found: dict[str, dict[int, Mapping[str, Any]]] = {}
    captured = _latest(rows)
    tasks = [task for task in rows if task.number in captured]
    for task in tasks:
        for file in captured[task.number]:
            found.setdefault(marks.name_of(file), {})[task.number] = file
    return Across(tasks, [_touched(name, found[name]) for name in sorted(found)])


def _latest(rows: Sequence[Task]) -> dict[int, list[Mapping[str, Any]]]:
    newest = (
        Capture.select(peewee.fn.MAX(INSERTED))
        .where(Capture.task.in_([task.number for task in rows]))
        .group_by(Capture.task)
    )
    listed = Capture.select(Capture.task, Capture.files).where(INSERTED.in_(newest))
    return {row.task_id: row.files for row in listed}


def _touched(name: str, by_task: Mapping[int, Mapping[str, Any]]) -> FileAcross:
    letters: dict[tuple[str, str], str] = {}
    for file in by_task.values():
        letters.setdefault(_content(file), chr(ord("a") + len(letters)))
    made = {number: Made(file, letters[_content(file)]) for number, file in by_task.items()}
    return FileAcross(str(next(iter(by_task.values()))["path"]), name, made)


def _content(file: Mapping[str, Any]) -> tuple[str, str]:
    """What the file is after the change: equal only for equal content and mode."""
    if file["status"] == DELETED:
        return (DELETED, "")
    return (str(file.get("new_blob")), str(file.get("new_mode")))
