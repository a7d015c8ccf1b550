"""Which changed files a policy's `allowed_file_globs` does not allow."""

from __future__ import annotations

import os
from collections.abc import Iterable

from shared import tasks
from shared.policy import globs
from shared.store.models import Task
from workers.repository.difference import ChangedFile

FLAG = "outside-globs"


def judged(task: Task, files: Iterable[ChangedFile]) -> list[ChangedFile]:
    """The files of a capture, those that are not allowed flagged; a moved file must have been allowed where it was."""
    allowed = tasks.policy_of(task).allowed_file_globs
    if not allowed:
        return list(files)
    folder = (
        os.path.relpath(task.execution_workspace or "", task.worktree_path or "")
        if task.worktree_path
        else "."
    )
    return [file if _is_allowed(file, allowed, folder) else file.flagged(FLAG) for file in files]


def _is_allowed(file: ChangedFile, allowed: Iterable[str], folder: str) -> bool:
    paths = [file.path, *([file.old_path] if file.old_path and file.status == "renamed" else [])]
    return all(globs.allows(allowed, path, folder) for path in paths)
