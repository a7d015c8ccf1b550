"""The command `cleanup`: a worktree goes once its work has landed, or with force; its last state is kept by a ref."""

from __future__ import annotations

import logging
from typing import Any

from shared.config import Config
from shared.crashpoints import crashpoint
from shared.errors import Conflict, OpenRuntimeError, UnmergedWork
from shared.review import keeping, landings, points
from shared.store.models import Capture, Command, Task
from workers.attempts import closing, setting_up
from workers.attempts.place import attempt_directories, worktree_of
from workers.landing import site
from workers.repository import discovery, pinning, removal
from workers.repository.worktree import Worktree

#: Of what would be lost, how many a refusal names.
MOST_NAMES = 5
log = logging.getLogger(__name__)


def cleanup(task: Task, command: Command, config: Config) -> dict[str, Any]:
    """Remove the worktree; raises UnmergedWork when unmerged work would go, unless forced."""
    return remove(task, force=bool(command.body.get("force")), config=config)


def remove(task: Task, *, force: bool, config: Config) -> dict[str, Any]:
    """What `cleanup` does, without a command."""
    if task.live_attempt is not None:
        raise Conflict(f"The task is {task.status}; it can be cleaned up once it has ended.")
    worktree = worktree_of(task, config)  # also one whose start ended before the task knew of it
    if worktree is not None and worktree.in_place:
        raise Conflict("The task works in place; there is no worktree to clean up.")
    if task.worktree_path is None and worktree is None:
        raise Conflict("The task has no worktree; there is nothing to clean up.")
    ref = None
    if worktree is not None:
        row = site.last_state(task, worktree, config) if task.worktree_path is not None else None
        if row is not None and row.files and not force and not _has_landed(task, row):
            raise UnmergedWork(
                "The task's changes are not merged; merge them, or force the cleanup. They stay under a recovery ref.",
                files=len(row.files),
            )
        if not force:
            _refuse_to_lose(landings.left_out(row))
        setting_up.tear_down(task, worktree, config)
        if row is not None:
            _keep_captures(task, worktree, row)
        ref = removal.remove(worktree, keep=row.head_oid if row is not None else None)
        crashpoint("cleanup.removed")
    closing.forget(attempt_directories(task, config))
    said = "Removed the worktree" + (f"; its last state is kept as {ref}" if ref else "")
    if task.worktree_cleaned_at is None:
        landings.cleaned(task, said)
    crashpoint("cleanup.recorded")
    return {"message": said, "recovery_ref": ref}


def _refuse_to_lose(names: list[str]) -> None:
    """Raise UnmergedWork for what is in the worktree only, landed or not."""
    if not names:
        return
    some = ", ".join(names[:MOST_NAMES]) + (
        f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    )
    raise UnmergedWork(
        f"No capture holds {some}: save what you want of it, then force the cleanup, which deletes it for good.",
        files=len(names),
    )


def _has_landed(task: Task, row: Capture) -> bool:
    last = landings.last_landing(task)
    if last is None or task.worktree_merged_at is None:
        return False
    landed = Capture.get_or_none(Capture.id == last.capture)
    return landed is not None and landed.tree_oid == row.tree_oid


def _keep_captures(task: Task, worktree: Worktree, last: Capture) -> None:
    """Comparisons go on to work for as long as the last state is kept; that this fails stops no cleanup."""
    repository = discovery.at(worktree.repository_directory)
    if repository is None or not worktree.capture_git_directory.is_dir():
        return
    try:
        pinning.pin(
            repository,
            worktree,
            last=last.head_oid,
            heads=keeping.heads(task),
            review=points.reviewed(task),
        )
    except (OpenRuntimeError, OSError):
        log.warning("the captures of task %s are not kept", task.id, exc_info=True)
