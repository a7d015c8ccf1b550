"""Letting go of what landings and cleanups kept in a user's repository, once its time is over."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator

from workers.repository import references
from workers.repository.discovery import Repository
from workers.repository.git import git

#: What a worktree that was brought back borrows objects of.
BORROWED = ("refs/openruntime/recovery/", "refs/openruntime/captures/")
KEPT = (*BORROWED, "refs/openruntime/backup/")


def prune(
    repository: Repository,
    *,
    older_than_seconds: float,
    spare: Collection[str] = (),
    standing: Collection[str] = (),
) -> int:
    """Delete recovery, backup and capture refs that were made longer ago, except those of the tasks in `spare`; of those
    in `standing`, whose worktree is there and may have been brought back, backups alone. Returns how many.

    One whose age nothing tells stays.
    """
    count = 0
    for name, oid, made_at in _kept(repository):
        spared = {*spare, *standing} if name.startswith(BORROWED) else spare
        is_spared = any(task_id in name for task_id in spared)
        if not is_spared and made_at is not None and time.time() - made_at > older_than_seconds:
            count += references.delete(repository.git_dir, name, oid)
    return count


def _kept(repository: Repository) -> Iterator[tuple[str, str, float | None]]:
    """(ref, commit, when it was made) of everything kept; the reflog tells when, for the commit has a date of its own."""
    listed = git("for-each-ref", "--format=%(refname) %(objectname)", *KEPT, git_dir=repository.git_dir).text
    for line in listed.splitlines():
        name, _, oid = line.partition(" ")
        words = ("log", "-g", "-1", "--format=%gd", "--date=unix", name, "--")
        said = git(*words, git_dir=repository.git_dir, check=False).text
        seconds = said.rpartition("@{")[2].removesuffix("}")
        yield name, oid, float(seconds) if seconds.isdigit() else None
