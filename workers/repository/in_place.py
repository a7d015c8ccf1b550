"""A task that works in a person's folder itself: what it changed is seen and taken back by a snapshot of ours."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from shared.errors import Conflict
from workers.repository import directory, discovery, references, snapshot
from workers.repository.completion import Intent
from workers.repository.discovery import Repository
from workers.repository.locks import held
from workers.repository.shadow import exclude_rules
from workers.repository.transfer import send
from workers.repository.worktree import Worktree, load, save


def create(repository: Repository, *, task_id: str, repositories: Path) -> Worktree:
    """What captures need to know of a task in place: the folder in the part of a worktree, and the snapshot as its base.

    `repository` is of a folder without git. Repeatable; an existing one stays on the base it has.
    """
    assert repository.toplevel is not None and repository.head_oid is not None  # noqa: S101, PT018 -- it is ours
    with held(repositories, task_id):
        known = load(repositories, task_id)
        if known is not None and known[1]:
            return known[0]
        home = repositories.absolute() / task_id
        made = Worktree(
            task_id=task_id,
            path=repository.toplevel,
            execution_path=repository.toplevel,
            branch="",
            base_commit=repository.head_oid,
            base_seconds=0,
            unborn=False,
            object_format=repository.object_format,
            repository_directory=repository.common_dir,
            admin_directory=repository.common_dir,
            agent_git_directory=home / "agent.git",
            capture_git_directory=home / "capture.git",
            objects_directories=directory.object_directories(repository.objects_directory),
            in_place=True,
        )
        own = directory.write(
            made.capture_git_directory,
            object_format=made.object_format,
            alternates=made.objects_directories,
            exclude=exclude_rules(repository),
        )
        for name in ("index", snapshot.APART):
            shutil.copy2(repository.common_dir / name, own / name)
        save(made, ready=True)
        return made


def landed(worktree: Worktree, commit: str, files: Sequence[str]) -> Intent:
    """The edits up to the captured `commit` as the landing they are, so that one way of undoing does for all.

    Raises Conflict when our repository of the folder is gone.
    """
    repository = discovery.at(worktree.repository_directory)
    if repository is None:
        raise Conflict(f"What {worktree.path} was before the task is not stored any more.")
    own = worktree.capture_git_directory
    send(commit, own, repository.common_dir, known=(worktree.base_commit,))
    references.update(repository.common_dir, references.recovery_ref(worktree.task_id), commit)
    return Intent(
        task_id=worktree.task_id,
        strategy="apply",
        target_branch=None,
        previous_oid=worktree.base_commit,
        commit_oid=commit,
        head_oid=commit,
        repository_directory=str(repository.common_dir),
        home=str(worktree.home),
        checkout_path=str(worktree.path),
        files=tuple(files),
    )
