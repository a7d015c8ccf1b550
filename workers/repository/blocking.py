"""What of the user's stands in the way of updating a checkout: nothing here is ever overwritten."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Container, Sequence
from datetime import UTC, datetime
from pathlib import Path

from workers import beneath
from workers.repository.difference import Touched
from workers.repository.discovery import Checkout, Repository
from workers.repository.git import Completed, git
from workers.repository.putting_back import differing
from workers.repository.shadow import copied_index, empty_tree, line_endings
from workers.repository.snapshot import display

MAX_ITEMS = 500
MAX_NAME_BYTES = 4096
UNDER_WAY = {
    "MERGE_HEAD": "a merge is in progress",
    "CHERRY_PICK_HEAD": "a cherry-pick is in progress",
    "REVERT_HEAD": "a revert is in progress",
    "BISECT_LOG": "a bisect is in progress",
    "rebase-merge": "a rebase is in progress",
    "rebase-apply": "a rebase is in progress",
    "sequencer": "a cherry-pick or revert is in progress",
}

Item = dict[str, str]
INDEX_LOCK = ".git/index.lock"


def under_way(git_dir: Path) -> list[Item]:
    """Unfinished operations and a locked index of one checkout."""
    found = [
        {"path": f".git/{name}", "why": why}
        for name, why in UNDER_WAY.items()
        if os.path.lexists(git_dir / name)
    ]
    if os.path.lexists(git_dir / "index.lock"):
        found.append(index_lock(git_dir))
    return found


def index_lock(git_dir: Path) -> Item:
    """The locked index of a checkout, and since when: a person tells by that whether its git has crashed."""
    since = ""
    with contextlib.suppress(OSError):
        made = datetime.fromtimestamp((git_dir / "index.lock").lstat().st_mtime, UTC)
        since = f" since {made:%Y-%m-%d %H:%M} UTC"
    return {"path": INDEX_LOCK, "why": f"another git command holds the index{since}, or one has crashed"}


def rebasing(repository: Repository, branch: str) -> list[Item]:
    """A rebase or bisect of `branch` in any checkout: it is on no HEAD then, and must not move."""
    found = []
    linked = repository.common_dir / "worktrees"
    places = [repository.common_dir, *(linked.iterdir() if linked.is_dir() else ())]
    for place in places:
        for name in ("rebase-merge/head-name", "rebase-apply/head-name", "BISECT_START"):
            try:
                text = beneath.read_regular(place / name, MAX_NAME_BYTES).strip()
            except OSError:
                continue
            if os.fsdecode(text).removeprefix("refs/heads/") == branch:
                found.append({"path": f".git/{name}", "why": f"branch {branch} is being rebased or bisected"})
    return found


def find(
    repository: Repository, checkout: Checkout, own: Path, head: str | None, touched: Sequence[Touched]
) -> list[Item]:
    """Everything uncommitted in `checkout` that changing the `touched` paths would overwrite, at most 500 items.

    `own` is a shadow git directory over the checkout, `head` the commit it is on. `why` is one of: staged, modified,
    untracked, ignored, unmerged.
    """
    reader = _Reader(repository, checkout, own)
    tags: dict[bytes, bytes] = {}
    unmerged: set[bytes] = set()
    for entry in reader.records("ls-files", "-v", "-s", "-z"):
        described, _, path = entry.partition(b"\t")
        tags[path] = described[:1]
        if not described.endswith(b" 0"):
            unmerged.add(path)
    if unmerged:
        return [{"path": display(path), "why": "unmerged"} for path in sorted(unmerged)][:MAX_ITEMS]
    tree = head or empty_tree(own)
    words = ("--name-only", "-z", "--no-renames", "--ignore-submodules=dirty")
    found: dict[bytes, str] = {}
    for path in _overlapping(reader.records("diff-files", *words), touched):
        found[path] = "modified"
    for path in _overlapping(reader.records("diff-index", "--cached", *words, tree), touched):
        found[path] = "staged"
    for item in touched:
        tag = tags.get(item.path)
        if tag is not None and (tag.islower() or tag == b"S") and reader.differs(item.path):
            found[item.path] = "modified"
    loose = untracked(checkout.path, touched, tags)
    ignored = reader.ignored(loose)
    for path in loose:
        found.setdefault(path, "ignored" if path in ignored else "untracked")
    return [{"path": display(path), "why": why} for path, why in sorted(found.items())][:MAX_ITEMS]


def find_after_apply(
    repository: Repository, checkout: Checkout, own: Path, head: str | None, touched: Sequence[Touched]
) -> list[Item]:
    """Why edits that were applied to `touched` paths cannot be taken back: staged, or modified since."""
    reader = _Reader(repository, checkout, own)
    words = ("--cached", "--name-only", "-z", "--no-renames", "--ignore-submodules=dirty")
    staged = reader.records("diff-index", *words, head or empty_tree(own))
    found = dict.fromkeys(differing(repository, checkout, own, touched, old=False), "modified")
    found.update(dict.fromkeys(_overlapping(staged, touched), "staged"))
    return [{"path": display(path), "why": why} for path, why in sorted(found.items())][:MAX_ITEMS]


class _Reader:
    """Reads a checkout and its index through a git directory of ours; writes neither."""

    def __init__(self, repository: Repository, checkout: Checkout, own: Path) -> None:
        self._config = line_endings(repository)
        self._checkout = checkout
        self._own = own
        self._index = copied_index(repository, own, checkout.path, checkout.git_dir)

    def run(self, *words: str, check: bool = True, input: bytes | None = None) -> Completed:
        return git(
            *words,
            git_dir=self._own,
            work_tree=self._checkout.path,
            index=self._index,
            config=self._config,
            input=input,
            check=check,
        )

    def records(self, *words: str) -> list[bytes]:
        return [entry for entry in self.run(*words).stdout.split(b"\0") if entry]

    def differs(self, path: bytes) -> bool:
        """Whether a file git was told not to look at differs from its index entry."""
        name = path.decode("utf-8", "surrogateescape")
        if not os.path.lexists(os.path.join(os.fsencode(self._checkout.path), path)):
            return False
        entry = self.run("ls-files", "-s", "-z", "--", f":(top,literal){name}").stdout
        hashed = self.run("hash-object", "--", name, check=False).text
        return hashed.encode() not in entry or not hashed

    def ignored(self, paths: Sequence[bytes]) -> set[bytes]:
        if not paths:
            return set()
        words = ("check-ignore", "-z", "--stdin", "--no-index")
        return set(self.run(*words, check=False, input=b"\0".join(paths) + b"\0").stdout.split(b"\0"))


def _overlapping(changed: Sequence[bytes], touched: Sequence[Touched]) -> list[bytes]:
    """Which of the user's changed paths a landing touches, sits above, or sits below."""
    paths = {item.path for item in touched}
    folders = {folder for item in touched for folder in _above(item.path)}
    return [
        path
        for path in changed
        if path in paths or path in folders or any(above in paths for above in _above(path))
    ]


def _above(path: bytes) -> list[bytes]:
    parts = path.split(b"/")
    return [b"/".join(parts[:count]) for count in range(1, len(parts))]


def untracked(root: Path, touched: Sequence[Touched], tracked: Container[bytes]) -> list[bytes]:
    """Files on disk that git does not track, at, above or below a path that a landing writes."""
    found: dict[bytes, None] = {}
    base = os.fsencode(root)
    for item in touched:
        if item.new_blob is None:
            continue
        for place in (*_above(item.path), item.path):
            mode = _mode(os.path.join(base, place))
            if mode is None:
                break
            if stat.S_ISDIR(mode):
                if place == item.path:
                    found.update(dict.fromkeys(_untracked_below(base, place, tracked)))
                continue
            if place not in tracked:
                found[place] = None
            break
        if len(found) >= MAX_ITEMS:
            break
    return list(found)


def _untracked_below(base: bytes, folder: bytes, tracked: Container[bytes]) -> list[bytes]:
    if folder in tracked:
        return [folder]  # a submodule, or a file the user replaced by a folder
    found: list[bytes] = []
    for place, _, names in os.walk(os.path.join(base, folder)):
        for name in names:
            path = os.path.relpath(os.path.join(place, name), base)
            if path not in tracked:
                found.append(path)
        if len(found) >= MAX_ITEMS:
            break
    return found


def _mode(path: bytes) -> int | None:
    try:
        return os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
