"""The agent's own commits, brought into our git directory as data that nothing vouches for."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import Conflict, GitFailed, LandingRefused
from workers import beneath
from workers.repository import directory
from workers.repository.discovery import Repository, resolve_commit
from workers.repository.git import git
from workers.repository.shadow import shadow
from workers.repository.transfer import send
from workers.repository.worktree import Worktree

MAX_REF_BYTES = 1024
MAX_REFS_BYTES = 64 << 20
MAX_ALTERNATES_BYTES = 1 << 20
_REF = re.compile(r"refs/heads/[^\s\x00-\x20\x7f~^:?*\[\\]{1,240}")
_OID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def bring(worktree: Worktree, repository: Repository) -> str | None:
    """The tip of what the agent committed on the base, checked and now in the capture's git directory; None: nothing.

    In a sandbox the agent wrote a git directory of its own: only the commit that HEAD stands for and objects are read
    of it, through a git directory of ours, and every object is hashed and checked on arrival. Elsewhere its commits
    are in the user's repository already, and are checked the same. A history that left the base counts as none.
    Raises LandingRefused where something of it cannot be trusted.
    """
    try:
        with _source(worktree, repository) as (place, tip):
            if place is None or tip is None:
                return None
            send(tip, place, worktree.capture_git_directory, known=(worktree.base_commit,))
    except (GitFailed, Conflict) as failure:
        said = failure.stderr.strip().splitlines()[-1:] if isinstance(failure, GitFailed) else [str(failure)]
        raise LandingRefused(
            "The agent's own commits cannot be taken over; land the work as one commit with squash. "
            + "".join(said)[:300],
            conflicts=[],
            blocking=[],
        ) from failure
    words = ("merge-base", "--is-ancestor", worktree.base_commit, tip)
    descends = git(*words, git_dir=worktree.capture_git_directory, check=False).code == 0
    return tip if descends else None


@contextmanager
def _source(worktree: Worktree, repository: Repository) -> Iterator[tuple[Path | None, str | None]]:
    """A git directory of ours that sees the agent's objects, and the agent's commit; None where it made none."""
    private = worktree.agent_git_directory
    tip = _head(private)
    if tip not in (None, worktree.base_commit):
        _refuse_detours(private / "objects", worktree.objects_directories)
        with shadow(repository, borrow=(private / "objects",)) as place:
            yield place, tip
        return
    tip = resolve_commit(worktree.admin_directory, "HEAD")
    if tip in (None, worktree.base_commit):
        yield None, None
        return
    with shadow(repository) as place:
        yield place, tip


def _head(private: Path) -> str | None:
    """The commit an agent's git directory is on, read as text and beneath it only."""
    said = _text(private, "HEAD")
    if not said.startswith("ref: "):
        return said if _OID.fullmatch(said) else None
    name = said.removeprefix("ref: ")
    if not _REF.fullmatch(name) or ".." in name:
        return None
    oid = _text(private, name) or _packed(private, name)
    return oid if _OID.fullmatch(oid) else None


def _text(private: Path, name: str, limit: int = MAX_REF_BYTES) -> str:
    try:
        return os.fsdecode(beneath.read(private, name, limit)).strip()
    except OSError:
        return ""


def _packed(private: Path, name: str) -> str:
    for line in _text(private, "packed-refs", MAX_REFS_BYTES).splitlines():
        oid, _, found = line.partition(" ")
        if found == name:
            return oid
    return ""


def _refuse_detours(objects: Path, known: tuple[Path, ...]) -> None:
    """Objects must be the agent's own or the user's: raises Conflict for links and for other folders borrowed from."""
    try:
        borrowed = beneath.read(objects, "info/alternates", MAX_ALTERNATES_BYTES)
    except OSError:
        borrowed = b""
    if borrowed != directory.alternates_file(known):
        raise Conflict("Its git directory borrows objects from somewhere else.")
    for folder, folders, names in os.walk(objects):
        for name in (*folders, *names):
            if os.path.islink(os.path.join(folder, name)):
                raise Conflict("Its git directory has links among its objects.")
