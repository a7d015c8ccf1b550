"""The command `delete`: a task's files go at once, what is recorded of it is kept for a while, out of sight."""

from __future__ import annotations

import logging
import shutil
from typing import Any

from shared import deletion
from shared.config import Config
from shared.errors import Conflict
from shared.store.models import Command, Task
from workers.attempts import closing
from workers.attempts.place import attempt_directories, worktree_of
from workers.landing import cleanup
from workers.repository import folders, removal

log = logging.getLogger(__name__)


def delete(task: Task, command: Command, config: Config) -> dict[str, Any]:
    """Files first: a crash in between leaves a task that can be deleted again, never a file without one."""
    if command.body.get(deletion.FOR_GOOD):
        _forget(task, config)
        return {}
    deletion.refuse_undeletable(task)
    if task.worktree_path is not None and task.worktree_cleaned_at is None:
        cleanup.remove(task, force=False, config=config)
    worktree = worktree_of(task, config)
    if worktree is not None and not worktree.in_place:  # a start that failed made it; no agent ever saw it
        removal.remove(worktree, keep=None)
    closing.forget(attempt_directories(task, config))
    if attempt_directories(task, config):
        raise Conflict("A process of the task is still ending; delete it in a moment.")
    deletion.hide(task)
    return {}


def forget_the_old(config: Config) -> None:
    """Deleted tasks whose time to be put back is over."""
    for task in deletion.overdue():
        _forget(task, config)


def _forget(task: Task, config: Config) -> None:
    shutil.rmtree(config.homes / task.id, ignore_errors=True)
    worktree = worktree_of(task, config)
    if worktree is not None and worktree.in_place:
        removal.remove(worktree, keep=None)
    folders.forget(config.folders, task.workspace, task.id)
    deletion.forget(task)
