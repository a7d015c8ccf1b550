"""Giving a worktree another base, in place: files git ignores (caches, installed dependencies) stay where they are."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from shared.errors import Conflict
from workers.repository import agent_directory, blocking, merging, references, registration
from workers.repository.difference import Touched, touched
from workers.repository.discovery import Repository, head_branch, resolve_commit
from workers.repository.git import git
from workers.repository.locks import held
from workers.repository.snapshot import display
from workers.repository.transfer import has
from workers.repository.worktree import Worktree, copy_over, save
from workers.repository.worktrees import committed_seconds

CHECKOUT_SECONDS = 600
#: How the two sides are called in conflict markers.
TASK_SIDE = "this-task"


def onto(worktree: Worktree, *, tree: str, target: str, name: str) -> merging.Merged:
    """The work (`tree`) brought onto the commit `target`, a branch called `name`; conflicts are marked in its files."""
    own = worktree.capture_git_directory
    base, ours = merging.trees_of(own, worktree.base_commit, target)
    return merging.replay(own, base=base, ours=ours, theirs=tree, names=(name, TASK_SIDE))


def move(
    repository: Repository, worktree: Worktree, *, base: str, old: str, tree: str, again: bool
) -> Worktree:
    """The worktree on the commit `base`, its files those of `tree` where they were those of `old`; nobody may work in it.

    `old` is a capture of it as it is. The branch goes to `base`; the agent's git directory is made anew there, and what it
    had committed is uncommitted work from now on. `again` repeats a move that was interrupted.
    Raises Conflict when an ignored file is in the way.
    """
    with held(worktree.repositories, worktree.task_id):
        own = worktree.capture_git_directory
        index = own / "index"
        index.with_name("index.lock").unlink(missing_ok=True)
        if not again:
            _refuse_untracked(own, worktree, index, touched(own, old, tree))
        words = ("--reset", "-u", tree) if again else ("-m", "-u", old, tree)
        git(
            "read-tree",
            *words,
            git_dir=own,
            work_tree=worktree.path,
            index=index,
            timeout_seconds=CHECKOUT_SECONDS,
        )
        commit = references.commits(repository.git_dir, (base,))[0] or b""
        moved = replace(worktree, base_commit=base, base_seconds=committed_seconds(commit), unborn=False)
        _move_branch(repository, worktree, base)
        shutil.rmtree(worktree.agent_git_directory, ignore_errors=True)
        agent_directory.build(repository, moved)
        _write_indexes(moved)
        save(moved, ready=True)
        return moved


def _refuse_untracked(own: Path, worktree: Worktree, index: Path, paths: Sequence[Touched]) -> None:
    """Raise Conflict where a file would come to a place that holds one git does not record: an ignored one."""
    listed = git("ls-files", "-z", git_dir=own, index=index).stdout
    found = blocking.untracked(worktree.path, paths, set(listed.split(b"\0")))
    if found:
        raise Conflict(
            f"The worktree is as it was: its ignored file {display(found[0])} is in the way of one that the branch has now."
        )


def _move_branch(repository: Repository, worktree: Worktree, base: str) -> None:
    """Branch, pin and the worktree's HEAD; commits that only the branch held stay under a recovery ref."""
    ref = f"refs/heads/{worktree.branch}"
    tip = resolve_commit(repository.git_dir, ref)
    if tip not in (None, worktree.base_commit, base) and has(repository.git_dir, str(tip)):
        references.keep(repository.git_dir, f"{references.recovery_ref(worktree.task_id)}-branch", str(tip))
    registration.repair(repository, worktree)
    references.update(repository.git_dir, references.base_ref(worktree.task_id), base)
    references.update(repository.git_dir, ref, base)
    if head_branch(worktree.admin_directory) != worktree.branch:
        git("symbolic-ref", "HEAD", ref, git_dir=worktree.admin_directory)


def _write_indexes(worktree: Worktree) -> None:
    """What git compares the files with: the base, for the agent's git and for the person's."""
    own = worktree.capture_git_directory
    index: Path = own / "base-index"
    git("read-tree", worktree.base_commit, git_dir=own, index=index)
    refresh = ("update-index", "-q", "--refresh")
    git(*refresh, git_dir=own, work_tree=worktree.path, index=index, check=False)
    for place in (worktree.agent_git_directory, worktree.admin_directory):
        copy_over(index, place / "index")
    index.unlink()
