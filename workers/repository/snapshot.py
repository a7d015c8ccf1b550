"""Recording a working tree as a git tree, with an index and a git directory of our own."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from shared.errors import GitFailed
from workers.repository import time_limit
from workers.repository.git import git
from workers.repository.live import copied

MAX_FILE_BYTES = 50 << 20
MAX_TOTAL_BYTES = 2 << 30
MAX_FLAGS = 1000
ATTEMPTS = 3
SCAN_SECONDS = 120
HASH_SECONDS = 600
# Above this many files git writes their content into one pack: four times less work than a file for each (measured:
# 20,000 new files in 2.7 s of processor time instead of 8.6).
LOOSE_FILES = 50
ONE_PACK = {"core.bigFileThreshold": "0"}
CLOSED_FOLDER = "could not open directory"
#: The detail of the flag that says so.
CLOSED = "folder"
# git opens these by name in every folder, and would wait for ever on one that is a pipe.
READ_BY_GIT = {".gitignore", ".gitattributes", ".gitmodules"}
#: In a git directory of ours: paths that no snapshot records while they are not in the index, separated by NUL.
APART = "apart"


@dataclass(frozen=True)
class Flag:
    """Something a reviewer must know that no line of the patch says. `path` is as displayed, or None."""

    kind: str
    path: str | None = None
    detail: str = ""


@dataclass(frozen=True)
class Snapshot:
    """A tree in our objects, and what could not be recorded in it: `left_out` are its paths as git lists them."""

    tree: str
    flags: tuple[Flag, ...]
    left_out: tuple[bytes, ...] = ()


@dataclass
class _Plan:
    """Paths to hand to update-index: those that leave the index first, then those that enter it.

    `barred` leave it though something is there: what is no file to git.
    """

    leaving: list[bytes]
    entering: list[bytes]
    flags: list[Flag]
    left_out: list[bytes] = field(default_factory=list)
    barred: list[bytes] = field(default_factory=list)

    def leave_out(self, kind: str, path: bytes, detail: str = "") -> None:
        self.flags.append(Flag(kind, display(path), detail))
        self.left_out.append(path)


def take(
    git_dir: Path,
    work_tree: Path,
    index: Path,
    *,
    repair: bool = False,
    live: bool = False,
    largest: int = MAX_FILE_BYTES,
    config: Mapping[str, str] | None = None,
) -> Snapshot:
    """Bring `index` up to date with `work_tree` and write its tree.

    Files over `largest` bytes (or beyond 2 GB in all), embedded repositories, moved submodules and unreadable files keep
    what the index had and are flagged; sockets, pipes and devices are not files to git. `repair` makes files
    their owner cannot read readable: only when nobody works in the tree. `live`: an agent does, and may swap a file
    for a link at any moment; what changed is then read from a private copy.
    Raises GitFailed when the tree keeps changing under it.
    """
    index.with_name(f"{index.name}.lock").unlink(missing_ok=True)  # the caller's lock makes a left one stale
    if repair and not os.access(work_tree, os.R_OK | os.W_OK | os.X_OK):
        open_folders(work_tree)
    last: GitFailed | None = None
    for _ in range(ATTEMPTS):
        try:
            listed, warnings = _listed(git_dir, work_tree, index, config)
            if repair and CLOSED_FOLDER in warnings and open_folders(work_tree):
                listed, warnings = _listed(git_dir, work_tree, index, config)
            plan = _plan(work_tree, _without_apart(git_dir, listed), largest, repair=repair)
            _bar(git_dir, work_tree, index, plan.barred)
            update = _update_live if live else _update
            ignored = update(git_dir, work_tree, index, plan, config)
            tree = git("write-tree", git_dir=git_dir, work_tree=work_tree, index=index, config=config).text
            flags = (*plan.flags, *_warned(warnings, ignored))[:MAX_FLAGS]
            closed = [os.fsencode(flag.path) for flag in flags if flag.detail == CLOSED and flag.path]
            return Snapshot(tree, flags, (*plan.left_out, *ignored, *closed))
        except GitFailed as failure:
            if not work_tree.is_dir() or time_limit.is_over():
                raise
            last = failure
            if failure.code is None and (repair or live):
                _remove_pipes(work_tree)
            index.with_name(f"{index.name}.lock").unlink(missing_ok=True)
    assert last is not None  # noqa: S101 -- the loop ran
    raise last


def display(raw: bytes) -> str:
    """A path for people: bytes that are not UTF-8 become replacement characters."""
    return raw.decode("utf-8", "replace")


def _listed(
    git_dir: Path, work_tree: Path, index: Path, config: Mapping[str, str] | None
) -> tuple[list[tuple[bytes, bytes]], str]:
    """(tag, path) of everything that may differ from the index: `C` changed or gone, `?` not in it."""
    done = git(
        "ls-files",
        "-t",
        "-z",
        "-o",
        "-m",
        "--exclude-standard",
        git_dir=git_dir,
        work_tree=work_tree,
        index=index,
        config=config,
        timeout_seconds=SCAN_SECONDS,
    )
    return [(entry[:1], entry[2:]) for entry in done.stdout.split(b"\0") if entry], done.stderr


def _without_apart(git_dir: Path, listed: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    place = git_dir / APART
    apart = (
        {path.rstrip(b"/") for path in place.read_bytes().split(b"\0") if path} if place.is_file() else set()
    )
    if not apart:
        return listed
    return [
        (tag, path)
        for tag, path in listed
        if tag != b"?" or not (path.rstrip(b"/") in apart or _below(path.rstrip(b"/"), apart))
    ]


def _plan(work_tree: Path, listed: list[tuple[bytes, bytes]], largest: int, *, repair: bool) -> _Plan:
    plan = _Plan([], [], [])
    root = os.fsencode(work_tree)
    budget = MAX_TOTAL_BYTES
    for tag, path in listed:
        full = os.path.join(root, path)
        if path.endswith(b"/"):
            plan.leave_out("embedded-repository", path)
            continue
        try:
            found = os.lstat(full)
        except (FileNotFoundError, NotADirectoryError):
            if tag != b"?":
                plan.leaving.append(path)
            continue
        except OSError as failure:
            plan.leave_out("unreadable", path, failure.strerror or "")
            continue
        if stat.S_ISDIR(found.st_mode):
            if os.path.lexists(os.path.join(full, b".git")):
                plan.flags.append(Flag("submodule-moved", display(path)))
            else:
                plan.leaving.append(path)
        elif stat.S_ISLNK(found.st_mode):
            plan.entering.append(path)
        elif not stat.S_ISREG(found.st_mode):
            plan.barred.append(path)
        elif found.st_size > largest:
            plan.leave_out("too-large", path, f"{found.st_size} bytes")
        elif found.st_size > budget:
            plan.leave_out("too-much", path, f"{found.st_size} bytes")
        elif not _readable(full, found, repair=repair):
            plan.leave_out("unreadable", path)
        else:
            budget -= found.st_size
            plan.entering.append(path)
    entering = set(plan.entering)
    # A path below a file or link that enters the index leaves with it (`--replace`), and is not reachable as named.
    plan.leaving = [path for path in plan.leaving if not _below(path, entering)]
    plan.entering = [path for path in plan.entering if not _below(path, entering)]
    return plan


def _below(path: bytes, entering: set[bytes]) -> bool:
    place = path.rfind(b"/")
    while place > 0:
        if path[:place] in entering:
            return True
        place = path.rfind(b"/", 0, place)
    return False


def _readable(full: bytes, found: os.stat_result, *, repair: bool) -> bool:
    if os.access(full, os.R_OK):
        return True
    if repair and found.st_uid == os.geteuid():
        try:
            os.chmod(full, stat.S_IMODE(found.st_mode) | stat.S_IRUSR)
        except OSError:
            return False
        return os.access(full, os.R_OK)
    return False


def _bar(git_dir: Path, work_tree: Path, index: Path, paths: list[bytes]) -> None:
    if paths:
        words = ("update-index", "-z", "--force-remove", "--stdin")
        git(*words, git_dir=git_dir, work_tree=work_tree, index=index, input=b"\0".join(paths) + b"\0")


def _update(
    git_dir: Path, work_tree: Path, index: Path, plan: _Plan, config: Mapping[str, str] | None
) -> list[bytes]:
    paths = [*plan.leaving, *plan.entering]
    if not paths:
        return []
    done = git(
        "update-index",
        "-z",
        "--add",
        "--remove",
        "--replace",
        "--stdin",
        git_dir=git_dir,
        work_tree=work_tree,
        index=index,
        config={**(config or {}), **(ONE_PACK if len(plan.entering) > LOOSE_FILES else {})},
        input=b"\0".join(paths) + b"\0",
        timeout_seconds=HASH_SECONDS,
    )
    prefix = "Ignoring path "
    return [
        os.fsencode(line.removeprefix(prefix)) for line in done.stderr.splitlines() if line.startswith(prefix)
    ]


def _update_live(
    git_dir: Path, work_tree: Path, index: Path, plan: _Plan, config: Mapping[str, str] | None
) -> list[bytes]:
    if not (plan.leaving or plan.entering):
        return []
    with copied(work_tree, plan.entering, git_dir) as (folder, held):
        ignored = _update(git_dir, folder, index, _Plan(plan.leaving, held, []), config)
    # The index now knows the copies' times: compared once more, the files themselves count as unchanged next time.
    refresh = ("update-index", "-q", "--refresh")
    git(*refresh, git_dir=git_dir, work_tree=work_tree, index=index, config=config, check=False)
    return ignored


def _warned(warnings: str, ignored: list[bytes]) -> list[Flag]:
    flags = [Flag("unsafe-name", display(path)) for path in ignored]
    for line in warnings.splitlines():
        if CLOSED_FOLDER in line:
            flags.append(Flag("unreadable", line.split("'")[1] if line.count("'") >= 2 else None, CLOSED))
    return flags


def open_folders(work_tree: Path) -> bool:
    """Let the owner into a folder and every one below it; True when one was closed. No link is followed."""
    top = os.fsencode(work_tree)
    opened = _open(top)
    for place, folders, _ in os.walk(top):
        for name in folders:
            opened |= _open(os.path.join(place, name))  # before the walk gets there
    return opened


def _open(folder: bytes) -> bool:
    mode = os.lstat(folder).st_mode
    if not stat.S_ISDIR(mode) or mode & stat.S_IRWXU == stat.S_IRWXU:
        return False
    with contextlib.suppress(OSError):
        os.chmod(folder, stat.S_IMODE(mode) | stat.S_IRWXU)
        return True
    return False


def _remove_pipes(work_tree: Path) -> None:
    """Remove named pipes where git expects a file of its own; git records no pipe anyhow."""
    for folder, _, names in os.walk(work_tree):
        for name in READ_BY_GIT.intersection(names):
            place = os.path.join(folder, name)
            if not stat.S_ISREG(os.lstat(place).st_mode) and not os.path.islink(place):
                os.unlink(place)
