"""Comparing two trees that are not in one place: of one task at two times, of two tasks, or with what was reviewed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from shared.errors import Conflict, GitFailed
from shared.review.points import State, Viewed
from workers.repository import capture, difference, directory
from workers.repository.difference import ChangedFile
from workers.repository.discovery import Repository
from workers.repository.git import git
from workers.repository.shadow import PREFIX
from workers.repository.transfer import missing

REVIEWED_INDEX = "reviewed-index"
SUBMODULE = "160000"  # the mode of a commit, which is not stored
GONE = (
    "The files of a compared state are not stored any more: they are kept while the task has its worktree, and for 30 "
    "days after it is removed."
)


@contextmanager
def reading(repository: Repository, borrowed: Sequence[Path]) -> Iterator[Path]:
    """A temporary git directory that reads the repository's objects and those in the folders `borrowed`."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        yield directory.write(
            folder,
            object_format=repository.object_format,
            alternates=(repository.objects_directory, *borrowed),
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def compare(own: Path, old: str, new: str) -> tuple[tuple[ChangedFile, ...], bytes, bool]:
    """The changed files, flagged as a capture's, the patch, and whether that is cut. Raises Conflict where a file is gone."""
    try:
        files, patch, truncated = difference.compare(own, old, new)
        return capture.judged(own, files), patch, truncated
    except GitFailed as failure:
        if failure.code is None:
            raise
        raise Conflict(GONE) from failure


def tree_of(own: Path, state: State) -> str:
    """The tree of a state, made where it is a reviewed one. Raises Conflict where it is not stored any more."""
    tree = tree_if_stored(own, state)
    if tree is None:
        raise Conflict(GONE)
    return tree


def tree_if_stored(own: Path, state: State) -> str | None:
    """As `tree_of`; None where it is not stored any more."""
    blobs = [one.blob for one in state.viewed if one.blob is not None and one.mode != SUBMODULE]
    if missing(own, [state.oid, *blobs]):
        return None
    if state.kind == "review":
        return reviewed(own, state.oid, state.viewed)
    return git("rev-parse", "--verify", f"{state.oid}^{{tree}}", git_dir=own).text


def reviewed(own: Path, base: str, viewed: Sequence[Viewed]) -> str:
    """The tree of `base` with every viewed file in the version that was viewed: moved, deleted or changed as it was."""
    nothing = "0" * len(base)
    gone = [path for one in viewed for path in (one.old_path, one.path) if path is not None]
    lines = [f"0 {nothing}\t".encode() + path + b"\0" for path in gone]
    lines += [
        f"{one.mode} {one.blob}\t".encode() + one.path + b"\0" for one in viewed if one.blob is not None
    ]
    index = own / REVIEWED_INDEX
    index.unlink(missing_ok=True)
    try:
        git("read-tree", base, git_dir=own, index=index)
        words = ("update-index", "-z", "--add", "--replace", "--index-info")
        git(*words, git_dir=own, index=index, input=b"".join(lines))
        return git("write-tree", git_dir=own, index=index).text
    finally:
        index.unlink(missing_ok=True)
