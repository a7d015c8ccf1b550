"""The user's side of a worktree: its entry under `.git/worktrees` and its branch, made and taken away."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from shared.errors import Conflict, GitFailed, NotReady
from workers import beneath
from workers.repository import references
from workers.repository.discovery import Repository, checkouts, resolve_commit
from workers.repository.git import git
from workers.repository.transfer import has
from workers.repository.worktree import Worktree, replace_file

ATTEMPTS = 5
RETRY_SECONDS = 0.05
MAX_GITFILE_BYTES = 64 << 10
#: What git says when another one works in the same repository: it reads all entries, also one only half written.
LOCK_WORDS = ("lock", "File exists", "could not create", "failed to read")


def register(repository: Repository, worktree: Worktree, *, has_branch: bool = False) -> None:
    """`git worktree add` without files. A folder that is there already keeps its content.

    `has_branch` says that the branch was made just now; otherwise it is made where it is missing.
    """
    path = worktree.path
    aside = _aside(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir() and any(path.iterdir()):
        os.rename(path, aside)
    for attempt in range(1, ATTEMPTS + 1):
        words = ["worktree", "add", "-f", "--no-checkout"]
        if has_branch or resolve_commit(repository.git_dir, f"refs/heads/{worktree.branch}") is not None:
            words += [str(path), worktree.branch]
        else:
            words += ["--no-track", "-b", worktree.branch, str(path), worktree.base_commit]
        try:
            git(*words, git_dir=repository.common_dir)
            break
        except GitFailed as failure:
            if attempt == ATTEMPTS or not any(word in failure.stderr for word in LOCK_WORDS):
                raise NotReady(f"git could not add a worktree: {_reason(failure)}.") from failure
            time.sleep(RETRY_SECONDS * attempt)
    bring_back(path)


def bring_back(path: Path) -> bool:
    """Finish a registration around an existing folder that a crash interrupted; True when there was one."""
    aside = _aside(path)
    if not aside.is_dir():
        return False
    gitfile = path / ".git"
    if gitfile.is_file():
        os.replace(gitfile, aside / ".git")
    if path.is_dir():
        path.rmdir()
    os.rename(aside, path)
    return True


def repair(repository: Repository, worktree: Worktree) -> None:
    """Put back what went missing around an existing folder: its `.git` file or its entry in the repository."""
    admin = worktree.admin_directory
    gitfile = worktree.path / ".git"
    if (admin / "HEAD").is_file():
        wanted = b"gitdir: " + os.fsencode(admin) + b"\n"
        if not os.path.lexists(gitfile) or _is_other_file(gitfile, wanted):
            replace_file(gitfile, wanted)
        return
    if gitfile.is_file() and not gitfile.is_symlink():
        gitfile.unlink()
    register(repository, worktree)
    index = worktree.capture_git_directory / "index"
    if index.is_file():
        shutil.copy2(index, admin_directory(worktree.path) / "index")


def discard_unfinished(repository: Repository, worktree: Worktree) -> None:
    """Remove what an interrupted creation left; no agent has worked in it yet."""
    forget(repository, worktree)
    for place in (worktree.path, worktree.agent_git_directory, worktree.capture_git_directory):
        shutil.rmtree(place, ignore_errors=True)


def forget(repository: Repository, worktree: Worktree) -> None:
    """Remove the repository's entry of this worktree, and the folder of entries when it was the last."""
    entries = repository.common_dir / "worktrees"
    for admin in (worktree.admin_directory, *_entries_for(entries, worktree.path)):
        if _points_to(admin, worktree.path):
            shutil.rmtree(admin, ignore_errors=True)
    remove_empty(entries)


def refuse_locked(worktree: Worktree) -> None:
    """Raises Conflict when the user locked the worktree with `git worktree lock`."""
    if (worktree.admin_directory / "locked").exists():
        raise Conflict("This worktree is locked: run `git worktree unlock` on it first.")


def remove_branch(repository: Repository, worktree: Worktree) -> None:
    """Delete the task's branch unless the user made it theirs: checked out elsewhere, or given an upstream.

    Commits only this branch held stay under a recovery ref.
    """
    name = f"refs/heads/{worktree.branch}"
    tip = resolve_commit(repository.git_dir, name)
    if tip is None:
        return
    if any(
        place.branch == worktree.branch and place.path != worktree.path for place in checkouts(repository)
    ):
        return
    if f"branch.{worktree.branch}.remote" in repository.settings:
        return
    if tip != worktree.base_commit and has(repository.git_dir, tip):
        references.keep(repository.git_dir, f"{references.recovery_ref(worktree.task_id)}-branch", tip)
    if references.delete(repository.git_dir, name, tip):
        for place in ("refs/heads/openruntime", "logs/refs/heads/openruntime"):
            remove_empty(repository.common_dir / place)


def admin_directory(path: Path) -> Path:
    """The repository's entry a worktree's `.git` file names, for one that was just added."""
    pointer = (
        os.fsdecode(beneath.read(path, ".git", MAX_GITFILE_BYTES)).removeprefix("gitdir: ").removesuffix("\n")
    )
    return Path(pointer)


def _aside(path: Path) -> Path:
    return path.with_name(f".{path.name}.aside")


def _entries_for(entries: Path, path: Path) -> list[Path]:
    try:
        return [place for place in entries.iterdir() if _points_to(place, path)]
    except OSError:
        return []


def _points_to(admin: Path, path: Path) -> bool:
    try:
        return Path(os.fsdecode((admin / "gitdir").read_bytes().removesuffix(b"\n"))) == path / ".git"
    except OSError:
        return False


def _is_other_file(gitfile: Path, wanted: bytes) -> bool:
    try:
        return beneath.read(gitfile.parent, gitfile.name, MAX_GITFILE_BYTES) != wanted
    except OSError:
        return False


def remove_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return


def _reason(failure: GitFailed) -> str:
    lines = failure.stderr.strip().splitlines()
    return lines[-1].removeprefix("fatal: ").rstrip(".") if lines else "it gave no reason"
