"""Marking files of a task's changes, and hunks of them, as viewed, and opening them again."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from shared.clock import now
from shared.errors import NotFound
from shared.review import marks, patches
from shared.review.marks import File, HunkMark, content_of, name_of
from shared.store.database import transaction
from shared.store.models import Capture, Task, ViewedFile, ViewedHunk

#: What a captured file is called, and was before it was moved; kept with its mark.
NAMES = ("path", "path_b64", "old_path", "old_path_b64")


def mark(task: Task, capture: Capture, file: File, by: str) -> None:
    """Record that `by` has viewed this version of the file, and so each of its hunks."""
    keys = patches.hunks(capture.id, capture.files.index(file)).keys
    with transaction():
        _keep_file(task, file, by)
        _forget(ViewedHunk, task, file, ViewedHunk.hunk.not_in(keys))
        _keep_hunks(task, file, keys, by, now())


def reopen(task: Task, file: File) -> None:
    """Take the file's mark away, and those of its hunks."""
    with transaction():
        for table in (ViewedFile, ViewedHunk):
            _forget(table, task, file)


def mark_hunk(task: Task, capture: Capture, file: File, key: str, by: str) -> None:
    """Record that `by` has viewed a hunk; with the last one the file is viewed in this version. Raises NotFound."""
    with transaction():
        _with(task, capture, file, key)
        _keep_hunks(task, file, [key], by, now())
        if all(one.is_viewed for one in marks.of(task, capture, file).hunks(file)):
            _keep_file(task, file, by)


def reopen_hunk(task: Task, capture: Capture, file: File, key: str) -> None:
    """Take a hunk's mark away, and with it the file's; the other hunks keep theirs. Raises NotFound."""
    with transaction():
        for one in _with(task, capture, file, key):
            if one.viewed_by is not None and one.viewed_at is not None:
                _keep_hunks(task, file, [one.key], one.viewed_by, one.viewed_at)
        _forget(ViewedHunk, task, file, ViewedHunk.hunk == key)
        _forget(ViewedFile, task, file, ViewedFile.content == content_of(file))


def _with(task: Task, capture: Capture, file: File, key: str) -> list[HunkMark]:
    found = marks.of(task, capture, file).hunks(file)
    if all(one.key != key for one in found):
        raise NotFound("This hunk is not among the file's changes.")
    return found


def _forget(table: type[ViewedFile | ViewedHunk], task: Task, file: File, *also: Any) -> None:
    table.delete().where(table.task == task.number, table.path == name_of(file), *also).execute()


def _keep_file(task: Task, file: File, by: str) -> None:
    names = {name: file[name] for name in NAMES if file.get(name) is not None}
    values = {"content": content_of(file), "names": names, "viewed_by": by, "viewed_at": now()}
    ViewedFile.insert(task=task.number, path=name_of(file), **values).on_conflict(
        conflict_target=[ViewedFile.task, ViewedFile.path], update=values
    ).execute()


def _keep_hunks(task: Task, file: File, keys: Iterable[str], by: str, at: datetime) -> None:
    """Those that are known keep who viewed them first."""
    about = {"task": task.number, "path": name_of(file), "viewed_by": by, "viewed_at": at}
    rows = [{**about, "hunk": key} for key in keys]
    if rows:
        ViewedHunk.insert_many(rows).on_conflict_ignore().execute()
