"""Taking back a half-done update of a checkout without harming what the user wrote meanwhile."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from shared.errors import Conflict
from workers import beneath
from workers.repository.difference import Touched
from workers.repository.discovery import Checkout, Repository
from workers.repository.git import git
from workers.repository.shadow import line_endings
from workers.repository.snapshot import display

MAX_PARTIAL_BYTES = 256 << 20


def put_back(repository: Repository, checkout: Checkout, own: Path, paths: Sequence[Touched]) -> None:
    """Give every touched path its old content again, where the disk holds (a part of) the new one or nothing.

    Raises Conflict naming the paths that hold something else: those are the user's, and stay.
    """
    root = os.fsencode(checkout.path)
    not_old = differing(repository, checkout, own, paths, old=True)
    not_new = differing(repository, checkout, own, paths, old=False)
    restored: list[Touched] = []
    strange: list[bytes] = []
    for item in paths:
        if item.path not in not_old:
            continue
        present = _present(root, item.path)
        if present and item.path in not_new and not _is_part(own, root, item):
            strange.append(item.path)
        elif item.old_blob is not None:
            restored.append(item)
        elif present:
            _remove(root, os.path.join(root, item.path))
    if restored:
        _write(repository, checkout, own, restored)
    if strange:
        names = ", ".join(display(path) for path in strange[:5])
        raise Conflict(
            f"These files changed while a landing was interrupted, and were left as they are: {names}."
        )


def matches(repository: Repository, checkout: Checkout, own: Path, paths: Sequence[Touched]) -> bool:
    """Whether every touched path on disk has its new content."""
    return bool(paths) and not differing(repository, checkout, own, paths, old=False)


def differing(
    repository: Repository, checkout: Checkout, own: Path, paths: Sequence[Touched], *, old: bool
) -> set[bytes]:
    """The touched paths whose file on disk is not the old (or the new) one."""
    root = os.fsencode(checkout.path)
    index = _index_of(own, paths, old=old)
    config = line_endings(repository)
    refresh = ("update-index", "-q", "--refresh")
    git(*refresh, git_dir=own, work_tree=checkout.path, index=index, config=config, check=False)
    words = ("diff-files", "--name-only", "-z", "--no-renames")
    listed = git(*words, git_dir=own, work_tree=checkout.path, index=index, config=config).stdout
    found = set(filter(None, listed.split(b"\0")))
    for item in paths:
        if (item.old_blob if old else item.new_blob) is None and _present(root, item.path):
            found.add(item.path)
    return found


def _index_of(own: Path, paths: Sequence[Touched], *, old: bool) -> Path:
    """A fresh index that holds the touched paths only: the rest of the checkout is not read."""
    index = own / "compare-index"
    index.unlink(missing_ok=True)
    lines = []
    for item in paths:
        blob, mode = (item.old_blob, item.old_mode) if old else (item.new_blob, item.new_mode)
        if blob is not None:
            lines.append(f"{mode} {blob}\t".encode() + item.path + b"\0")
    git("read-tree", "--empty", git_dir=own, index=index)
    if lines:
        git("update-index", "-z", "--index-info", git_dir=own, index=index, input=b"".join(lines))
    return index


def _present(root: bytes, path: bytes) -> bool:
    """Whether there is a file (not a folder) at `path`, reached through real folders only."""
    parts = path.split(b"/")
    for count in range(1, len(parts) + 1):
        try:
            mode = os.lstat(os.path.join(root, *parts[:count])).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return False
        if stat.S_ISDIR(mode) != (count < len(parts)):
            return False
    return True


def _is_part(own: Path, root: bytes, item: Touched) -> bool:
    """Whether a file holds the beginning of the new content: git was killed while it wrote."""
    if item.new_blob is None:
        return False
    try:
        written = beneath.read(root, item.path, MAX_PARTIAL_BYTES)
    except OSError:
        return False
    content = git("cat-file", "blob", item.new_blob, git_dir=own, max_bytes=MAX_PARTIAL_BYTES).stdout
    return content.startswith(written)


def _write(repository: Repository, checkout: Checkout, own: Path, items: Sequence[Touched]) -> None:
    git(
        "checkout-index",
        "-a",
        "-f",
        "-q",
        git_dir=own,
        work_tree=checkout.path,
        index=_index_of(own, items, old=True),
        config=line_endings(repository),
    )


def _remove(root: bytes, full: bytes) -> None:
    """Delete a file the update had added, and the folders that are empty without it."""
    os.unlink(full)
    folder = os.path.dirname(full)
    while folder != root:
        try:
            os.rmdir(folder)
        except OSError:
            return
        folder = os.path.dirname(folder)
