"""What a person is shown of a repository before a task starts: its state and its branches."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from workers.repository.discovery import Repository, locate
from workers.repository.git import git
from workers.repository.shadow import is_dirty

__all__ = ["Branch", "Repository", "branches", "inspect"]

MAX_BRANCHES = 1000


@dataclass(frozen=True)
class Branch:
    """One local branch and its newest commit."""

    name: str
    oid: str
    subject: str
    committed_at: datetime | None


def inspect(path: Path | str, *, dirty: bool = True) -> Repository | None:
    """Describe the repository that holds the folder `path`; None when it is in none.

    `dirty` asks whether anything is uncommitted, which reads the whole working tree.
    Raises BadRequest when the folder is missing or lies inside a git directory, NotReady without a usable git.
    """
    found = locate(path)
    if found is None or not dirty or found.bare:
        return found
    return replace(found, dirty=is_dirty(found))


def branches(path: Path | str) -> tuple[Branch, ...]:
    """The local branches, newest commit first; at most 1,000."""
    repository = locate(path)
    if repository is None:
        return ()
    try:
        found = _with_gitpython(repository)
    except Exception:  # noqa: BLE001 -- it knows neither sha256 nor reftable, and fails in many ways
        found = _with_git(repository)
    oldest = datetime.min.replace(tzinfo=UTC)
    return tuple(sorted(found, key=lambda branch: (branch.committed_at or oldest, branch.name), reverse=True))


def _with_gitpython(repository: Repository) -> list[Branch]:
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    from git import Repo
    from gitdb import GitDB  # type: ignore[import-untyped]

    # GitDB reads objects in this process; the default would start git with our environment.
    with Repo(repository.common_dir, odbt=GitDB) as opened:
        heads = list(opened.heads)[:MAX_BRANCHES]
        return [
            Branch(
                head.name, head.commit.hexsha, str(head.commit.summary), _utc(head.commit.committed_datetime)
            )
            for head in heads
        ]


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


def _with_git(repository: Repository) -> list[Branch]:
    layout = "%(refname)%00%(objectname)%00%(committerdate:unix)%00%(contents:subject)"
    listed = git(
        "for-each-ref",
        f"--count={MAX_BRANCHES}",
        f"--format={layout}",
        "refs/heads/",
        git_dir=repository.git_dir,
    ).text
    found = []
    for line in listed.splitlines():
        name, oid, seconds, subject = line.split("\0", 3)
        moment = datetime.fromtimestamp(int(seconds), UTC) if seconds.isdigit() else None
        found.append(Branch(name.removeprefix("refs/heads/"), oid, subject, moment))
    return found
