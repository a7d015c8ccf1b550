"""The command `undo`: the last landing is taken back, or a removed worktree comes back from its recovery ref."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from shared import commands, tasks
from shared.config import Config
from shared.crashpoints import crashpoint
from shared.errors import Conflict, GitFailed, NotReady, Refused
from shared.review import landings
from shared.store.database import transaction
from shared.store.models import Command, Landing, Task
from workers.attempts.place import repository_of
from workers.repository import completion, undoing, worktrees
from workers.repository.completion import Intent
from workers.repository.discovery import Repository

RESTORE = "restore"
RESTORED = "The worktree comes back with its last state."


def preview(task: Task, command: Command, config: Config) -> dict[str, Any]:
    """What an undo would do now, in the words of a landing's preview; nothing changes."""
    landing, repository = _subject(task, config)
    empty: dict[str, Any] = {"conflicts": [], "blocking": [], "files": []}
    if landing is None:
        return {"how": RESTORE, "says": RESTORED, "clean": True, "target_branch": None, **empty}
    found = undoing.look(repository, _landed_as(landing, repository))
    return {
        "how": found.how,
        "says": undoing.WORDS[found.how],
        "clean": found.intent is not None,
        "conflicts": list(found.conflicts),
        "blocking": list(found.blocking),
        "target_branch": found.target_branch,
        "target_oid": found.target_oid,
        "files": list(found.files),
        "restores_worktree": task.worktree_cleaned_at is not None,
    }


def undo(task: Task, command: Command, config: Config) -> dict[str, Any]:
    """Undo the task's last landing, and its cleanup with it; where nothing has landed, the cleanup alone."""
    if task.live_attempt is not None:
        raise Conflict(f"The task is {task.status}; it can be undone once it has ended.")
    result = dict(command.result or {})
    landing, repository = _subject(task, config) if not result else (None, _repository(task, config))
    if landing is not None:
        result = _undo_landing(task, command, landing, repository)
    if tasks.get(task.id).worktree_cleaned_at is None:
        return result
    try:
        back = restore(tasks.get(task.id), repository, config)
    except (Refused, GitFailed) as error:
        if not result:
            raise
        return {
            **result,
            "restore_refused": str(error),
        }  # the landing is undone, whatever becomes of the worktree
    return {**result, "message": f"{result['message']}. {back}" if result else back}


def restore(task: Task, repository: Repository, config: Config) -> str:
    """Make a removed worktree again from its recovery ref; returns the sentence that says so. Repeatable.

    Raises NotFound when no recovery ref is left.
    """
    worktree = worktrees.restore(
        repository,
        task_id=task.id,
        title=task.title,
        worktrees=config.worktrees,
        repositories=config.repositories,
    )
    crashpoint("undo.restored")
    said = f"Brought the worktree back on branch {worktree.branch}"
    landings.restored(
        task,
        said,
        worktree_path=str(worktree.path),
        execution_workspace=str(worktree.execution_path),
        branch=worktree.branch,
        base_commit=worktree.base_commit,
    )
    return said


def _subject(task: Task, config: Config) -> tuple[Landing | None, Repository]:
    """What an undo is about: the landing that stands, or None for the cleanup alone. Raises Conflict for neither."""
    landing = landings.last_landing(task)
    cleaned_since = task.worktree_cleaned_at is not None and task.worktree_merged_at is None
    if landing is not None and not (cleaned_since and landing.state == "landed"):
        return landing, _repository(task, config)
    if task.worktree_cleaned_at is None:
        raise Conflict("Nothing of the task was merged or cleaned up; there is nothing to undo.")
    return None, _repository(task, config)


def _repository(task: Task, config: Config) -> Repository:
    found = repository_of(task, config)
    if found is None:
        raise NotReady(f"{task.workspace} is not in a git repository any more.")
    return found


def _landed_as(landing: Landing, repository: Repository) -> Intent:
    """How it landed; the repository may have moved to another folder since."""
    return replace(Intent.from_json(landing.intent), repository_directory=str(repository.common_dir))


def _undo_landing(task: Task, command: Command, landing: Landing, repository: Repository) -> dict[str, Any]:
    try:
        if landing.state == "undoing" and landing.undo:
            intent = Intent.from_json(landing.undo)
        else:
            intent = undoing.prepare(
                repository,
                _landed_as(landing, repository),
                expected_target=command.body.get("target_oid"),
            )
            landings.begin_undo(landing, intent.to_json())
        crashpoint("undo.intent")
        done = completion.complete(intent)
    except (Refused, GitFailed):
        landings.drop_undo(landing)
        raise
    crashpoint("undo.moved")
    reverted = done.commit_oid if intent.strategy == undoing.REVERT else None
    where = landings.where_it_lands(task, intent.target_branch)
    said = f"Undid the landing on {where}" + (f" by commit {reverted[:10]}" if reverted else "")
    result = {"message": said, "commit_oid": reverted, "target_branch": intent.target_branch}
    with transaction():
        landings.undone(task, landing, said, reverted)
        commands.keep_result(command.id, result)
    return result
