"""A throw-away git directory of our own over a user's checkout, for reading it without its configuration."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from workers import beneath
from workers.repository import directory
from workers.repository.discovery import Repository, worktree_settings
from workers.repository.git import git

# What says how files look on this disk; nothing else of a repository's configuration is ever copied.
COPIED = ("core.filemode", "core.ignorecase", "core.precomposeunicode", "core.symlinks")
CHECKOUT_COPIED = (*COPIED, "core.eol", "core.sparsecheckout", "core.sparsecheckoutcone")
PREFIX = "openruntime-git-"


@contextmanager
def shadow(
    repository: Repository, git_dir: Path | None = None, *, borrow: tuple[Path, ...] = ()
) -> Iterator[Path]:
    """A temporary git directory with the repository's objects (and `borrow`), refs none, HEAD detached at nothing.

    `git_dir` is the git directory of the checkout it will be used on: its sparse patterns come along.
    """
    place = git_dir or repository.git_dir
    own = {**repository.settings, **worktree_settings(place)}
    # A private folder: agents may share /tmp with us.
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        directory.write(
            folder,
            object_format=repository.object_format,
            alternates=(repository.objects_directory, *borrow),
            settings={key: own[key] for key in CHECKOUT_COPIED if key in own},
            # A snapshot of a folder without git holds its bytes, whatever a .gitattributes in it says.
            attributes=directory.EXACT_BYTES if repository.plain else directory.NO_FILTERS,
            exclude=exclude_rules(repository, own),
        )
        _copy_checkout_files(place, folder)
        if (repository.common_dir / "shallow").is_file():
            shutil.copy(repository.common_dir / "shallow", folder / "shallow")
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(*, older_than_seconds: float = 86_400) -> int:
    """Delete the shadows that killed processes of this account left behind; returns how many."""
    count = 0
    for entry in os.scandir(tempfile.gettempdir()):
        if not entry.name.startswith(PREFIX) or not entry.is_dir(follow_symlinks=False):
            continue
        found = entry.stat(follow_symlinks=False)
        if found.st_uid == os.geteuid() and time.time() - found.st_mtime > older_than_seconds:
            shutil.rmtree(entry.path, ignore_errors=True)
            count += 1
    return count


def copied_index(repository: Repository, own: Path, checkout: Path, git_dir: Path) -> Path:
    """A copy of a checkout's index in the shadow, refreshed: touched but unchanged files count as clean."""
    index = own / "index"
    if (git_dir / "index").is_file():
        shutil.copy2(git_dir / "index", index)
    words = ("update-index", "-q", "--unmerged", "--refresh")
    git(*words, git_dir=own, work_tree=checkout, index=index, config=line_endings(repository), check=False)
    return index


def line_endings(repository: Repository) -> dict[str, str]:
    """The repository's own core.autocrlf, which SAFE would override, for work on a user's checkout."""
    value = repository.settings.get("core.autocrlf", "")
    return {"core.autocrlf": value} if value else {}


def exclude_rules(repository: Repository, own: Mapping[str, str] | None = None) -> bytes:
    """The ignore rules outside the tree: the repository's info/exclude and the user's core.excludesFile."""
    chosen = (own if own is not None else repository.settings).get("core.excludesfile")
    chosen = chosen or repository.personal.get("core.excludesfile")
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    named = Path(os.path.expanduser(chosen)) if chosen else Path(home) / "git/ignore"
    if not named.is_absolute():
        named = (repository.toplevel or repository.common_dir) / named
    return b"\n".join(_head(place) for place in (named, repository.common_dir / "info/exclude")) + b"\n"


def is_dirty(repository: Repository) -> bool:
    """Whether the checkout differs from HEAD in any way a commit of everything would record."""
    if repository.toplevel is None:
        return False
    config = line_endings(repository)
    with shadow(repository) as own:
        index = copied_index(repository, own, repository.toplevel, repository.git_dir)
        commands = (
            ("diff-index", "--cached", "--quiet", repository.head_oid or empty_tree(own)),
            ("diff-files", "--quiet"),
            ("ls-files", "-z", "-o", "--exclude-standard", "--directory", "--no-empty-directory"),
        )
        for command in commands:
            top = repository.toplevel
            done = git(
                *command, git_dir=own, work_tree=top, index=index, config=config, check=False, max_bytes=1
            )
            if done.code == 1 or done.stdout:
                return True
    return False


def empty_tree(git_dir: Path) -> str:
    """The id of the empty tree, present in `git_dir`'s objects."""
    return git("mktree", git_dir=git_dir).text


def _copy_checkout_files(source: Path, target: Path) -> None:
    for shared_index in source.glob("sharedindex.*"):  # a split index is looked up beside HEAD
        shutil.copy2(shared_index, target / shared_index.name)
    patterns = source / "info/sparse-checkout"
    if patterns.is_file():
        shutil.copy(patterns, target / "info/sparse-checkout")


def _head(place: Path) -> bytes:
    try:
        with os.fdopen(beneath.open_regular(place), "rb") as opened:
            return opened.read(directory.MAX_EXCLUDE_BYTES)
    except OSError:
        return b""
