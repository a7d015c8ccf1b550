"""A folder without git gets git directories of ours, outside it: to begin tasks at, to compare with, to land through.

`<store>/<key of the folder>/shared.git` holds the content of every snapshot and what git knows of the files' times;
`<task id>.git` beside it is one task's repository, whose work tree is the folder: its HEAD and its index are what the
folder was when the task began. Nothing of it is ever in the folder.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.errors import GitFailed, NotReady
from workers.repository import directory, discovery, merging, references, snapshot
from workers.repository.discovery import PLAIN, Repository, resolve_commit
from workers.repository.git import git
from workers.repository.locks import held
from workers.repository.shadow import exclude_rules
from workers.repository.snapshot import Flag

#: What is copied for a task at most: the snapshot reads all of it once (20,000 new files take 2.7 s, measured),
#: and the copy needs that much room again. More is worked in in place, or made a git repository.
MAX_FILES = 20_000
MAX_BYTES = 1 << 30
#: Names that are read before there are too many: 20,000 of 400 bytes.
LISTED_BYTES = 8 << 20
SHARED = "shared.git"
OBJECT_FORMAT = "sha1"
#: In a task's repository: paths that were there and are in no snapshot of it, separated by NUL.
APART = snapshot.APART
_WILD = re.compile(rb"[\\*?\[\]! ]")


@dataclass(frozen=True)
class Begun:
    """A folder as a task begins with it; `flags` say what of it is in no snapshot, and therefore in no copy."""

    repository: Repository
    flags: tuple[Flag, ...]
    files: int


def find(store: Path, folder: str, task_id: str) -> Repository | None:
    """The repository of a task that began in `folder`; None before."""
    home = _home(store, folder)
    place = home / f"{task_id}.git"
    if not place.is_dir():
        return None
    directory.borrow(place, (home / SHARED / "objects",))  # the data may have moved, by a backup
    return discovery.at(place)


def begin(
    store: Path,
    folder: str,
    task_id: str,
    *,
    base: str | None = None,
    whole: bool = True,
    closed: Sequence[Path] = (),
) -> Begun:
    """Take a snapshot of the folder and make the task's repository on it. Repeatable; the last one counts.

    `base` is an earlier snapshot of the same folder to begin at instead. With `whole`, a folder that is too large to be
    recorded completely is refused by NotReady, in a sentence; else what cannot be recorded is left `APART`. What is
    `closed` within it is left apart in any case.
    """
    home = _home(store, folder)
    names = [os.fsencode(one.relative_to(folder)) for one in closed]
    shared = _shared(home, names)
    place = home / f"{task_id}.git"
    with held(store, f"folder {folder}", timeout_seconds=snapshot.HASH_SECONDS):
        count = _counted(shared, folder) if whole else 0
        taken = _taken(shared, folder, whole=whole)
        apart = names if whole else [*names, *taken.left_out, *_ignored(shared, folder)]
        commit = base if base and resolve_commit(shared, base) else _commit(shared, taken.tree)
        new = home / f"{task_id}.new"
        shutil.rmtree(new, ignore_errors=True)
        directory.write(
            new,
            object_format=OBJECT_FORMAT,
            alternates=(shared / "objects",),
            head=commit,
            bare=False,
            settings={"core.worktree": folder},
        )
        (new / PLAIN).touch()
        (new / APART).write_bytes(b"\0".join(apart))
        _point(shared, new, commit)
        shutil.rmtree(place, ignore_errors=True)
        os.rename(new, place)  # whole or not at all, also after a crash
    found = discovery.at(place)
    assert found is not None  # noqa: S101 -- it was made just now
    return Begun(found, taken.flags, count)


def snapshot_now(repository: Repository) -> str:
    """The commit of the folder as it is now, in the repository of one of its tasks, whose HEAD stays.

    Raises NotReady for a folder that has become too large.
    """
    folder = str(repository.toplevel)
    shared = repository.common_dir.parent / SHARED
    store = shared.parent.parent
    with held(store, f"folder {folder}", timeout_seconds=snapshot.HASH_SECONDS):
        _counted(shared, folder)
        return _commit(shared, _taken(shared, folder, whole=True).tree)


def stand_on(repository: Repository, commit: str) -> None:
    """Let the task's repository compare the folder with another of its commits."""
    shared = repository.common_dir.parent / SHARED
    store = shared.parent.parent
    with held(store, f"folder {repository.toplevel}", timeout_seconds=snapshot.HASH_SECONDS):
        _point(shared, repository.common_dir, commit)


def forget(store: Path, folder: str, task_id: str) -> None:
    """Delete the task's repository, and with the folder's last one the content of all its snapshots."""
    home = _home(store, folder)
    if not home.is_dir():
        return
    with held(store, f"folder {folder}", timeout_seconds=snapshot.HASH_SECONDS):
        shutil.rmtree(home / f"{task_id}.git", ignore_errors=True)
        if not any(place.name != SHARED for place in home.glob("*.git")):
            shutil.rmtree(home, ignore_errors=True)


def every(store: Path) -> Iterator[Repository]:
    """The repositories of all tasks."""
    for place in sorted(store.glob("*/*.git")):
        if place.name != SHARED and (found := discovery.at(place)) is not None:
            yield found


def _home(store: Path, folder: str) -> Path:
    return store / hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]


def _shared(home: Path, closed: Sequence[bytes]) -> Path:
    """The git directory that all tasks of the folder borrow from."""
    place = home / SHARED
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (place / "HEAD").is_file():
        directory.write(place, object_format=OBJECT_FORMAT, alternates=())
    found = discovery.at(place)
    assert found is not None  # noqa: S101 -- it was made just now
    rules = [b"/" + _WILD.sub(rb"\\\g<0>", name) + b"/\n" for name in closed]
    (place / "info/exclude").write_bytes(exclude_rules(found) + b"".join(rules))
    (place / APART).write_bytes(b"\0".join(closed))
    return place


def _counted(shared: Path, folder: str) -> int:
    """How many files a snapshot would hold; raises NotReady where they are too many, or too large."""
    words = ("ls-files", "-z", "-c", "-o", "--exclude-standard")
    listed = git(
        *words,
        git_dir=shared,
        work_tree=Path(folder),
        index=shared / "index",
        max_bytes=LISTED_BYTES,
        timeout_seconds=snapshot.SCAN_SECONDS,
    )
    paths = set(filter(None, listed.stdout.split(b"\0")))
    if listed.truncated or len(paths) > MAX_FILES:
        raise NotReady(_too_large(folder, f"has more than {MAX_FILES:,} files"))
    sizes = {path: size for path in paths if (size := _size(folder, path)) is not None}
    if sum(sizes.values()) > MAX_BYTES:
        largest = max(sizes, key=lambda path: sizes[path])
        has = f"has more than {MAX_BYTES >> 30} GiB in its files (the largest is {snapshot.display(largest)})"
        raise NotReady(_too_large(folder, has))
    return len(sizes)


def _too_large(folder: str, has: str) -> str:
    return (
        f"{folder} is in no git repository and {has}, too much to copy for a task: make it a repository, choose a"
        " smaller folder, or let the task work in place."
    )


def _size(folder: str, path: bytes) -> int | None:
    try:
        return os.lstat(os.path.join(os.fsencode(folder), path)).st_size
    except OSError:
        return None


def _taken(shared: Path, folder: str, *, whole: bool) -> snapshot.Snapshot:
    largest = MAX_BYTES if whole else snapshot.MAX_FILE_BYTES
    try:
        return snapshot.take(shared, Path(folder), shared / "index", largest=largest)
    except GitFailed as failure:
        raise NotReady(f"{folder} could not be read: {failure.stderr.strip()[:500]}") from failure


def _ignored(shared: Path, folder: str) -> list[bytes]:
    """What git ignores in the folder, whole folders as one: it stays apart also where somebody changes the rules."""
    words = ("ls-files", "-z", "-o", "-i", "--exclude-standard", "--directory")
    listed = git(
        *words,
        git_dir=shared,
        work_tree=Path(folder),
        index=shared / "index",
        timeout_seconds=snapshot.SCAN_SECONDS,
    )
    return [path for path in listed.stdout.split(b"\0") if path]


def _commit(shared: Path, tree: str) -> str:
    """The same content is the same commit: a group's tasks begin at one, whoever comes first."""
    return merging.commit(shared, tree, (), "The folder as it was\n")


def _point(shared: Path, place: Path, commit: str) -> None:
    """HEAD and index of a task's repository; files that are as in the last snapshot are known without a look at them."""
    index = place / "index.new"
    index.unlink(missing_ok=True)
    if (shared / "index").is_file():
        shutil.copy2(shared / "index", index)
    git("read-tree", "--reset", commit, git_dir=place, index=index)
    os.replace(index, place / "index")
    references.update(place, "HEAD", commit)
