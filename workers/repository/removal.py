"""Taking a worktree away after its work is safe under a recovery ref."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path

from shared.crashpoints import crashpoint
from shared.errors import Conflict
from workers.repository import discovery, references, registration
from workers.repository.discovery import Repository
from workers.repository.locks import held
from workers.repository.snapshot import open_folders
from workers.repository.transfer import has, send
from workers.repository.worktree import Worktree

TRASH = ".trash"
EMPTIED = ("refs/openruntime/base", "refs/openruntime/landing", "refs/openruntime", "worktrees")


def remove(worktree: Worktree, *, keep: str | None) -> str | None:
    """Delete the worktree, its branch and our git directories; nothing else. Repeatable.

    `keep` is the commit of the last capture: it is first put into the user's repository under a recovery ref, whose
    name is returned, and nothing is deleted when that fails. Raises GitFailed, or Conflict when the user
    locked the worktree or the repository is gone.
    """
    if worktree.in_place:
        _discard(worktree.home)
        return None
    with held(worktree.repositories, worktree.task_id):
        repository = discovery.at(worktree.repository_directory)
        if repository is None and keep:
            raise Conflict(
                f"The repository {worktree.repository_directory} is gone: the work cannot be kept in it."
            )
        ref = None
        if repository is not None:
            registration.refuse_locked(worktree)
            ref = preserve(repository, worktree, keep) if keep else None
            crashpoint("cleanup.preserved")
        _discard(worktree.path)
        if repository is not None:
            registration.forget(repository, worktree)
            registration.remove_branch(repository, worktree)
            references.delete(repository.git_dir, references.base_ref(worktree.task_id))
            references.delete(repository.git_dir, references.landing_ref(worktree.task_id))
            for place in EMPTIED:
                registration.remove_empty(repository.common_dir / place)
        _discard(worktree.home)
        return ref


def preserve(repository: Repository, worktree: Worktree, commit: str) -> str:
    """Put a captured commit into the user's repository under the task's recovery ref; returns the ref's name."""
    ref = references.recovery_ref(worktree.task_id)
    if worktree.capture_git_directory.is_dir() and has(worktree.capture_git_directory, commit):
        known = (worktree.base_commit,) if has(repository.git_dir, worktree.base_commit) else ()
        send(commit, worktree.capture_git_directory, repository.git_dir, known=known)
    references.keep(repository.git_dir, ref, commit)
    return ref


def empty_trash(folder: Path) -> None:
    """Delete what interrupted removals left under `folder` (the worktrees', or the repositories')."""
    _delete(folder / TRASH)


def _discard(path: Path) -> None:
    """Rename away at once, then delete: a half-deleted worktree never looks like one."""
    if not os.path.lexists(path):
        return
    trash = path.parent / TRASH
    trash.mkdir(parents=True, exist_ok=True)
    gone = trash / f"{path.name}-{uuid.uuid4().hex[:8]}"
    os.rename(path, gone)
    _delete(gone)
    registration.remove_empty(trash)


def _delete(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
        return
    shutil.rmtree(path, ignore_errors=True)
    if not path.is_dir():
        return
    open_folders(path)  # an agent may leave some that nobody can enter
    shutil.rmtree(path, ignore_errors=True)
