"""A person's agent home where nothing can be mounted: a folder of the task's own that looks like it.

What runs programs is a link to something the agent may only read, the other folders are links to what it may write,
files are copies; links that stand there themselves are left out, since an agent may have made them. A login the agent
renewed is given back at the end, unless its person renewed it meanwhile.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from workers import beneath
from workers.repository.worktree import replace_file
from workers.runners import Home

PRIVATE_MODE, FILE_MODE = 0o700, 0o600
MAX_FILE_BYTES = 8 << 20
#: Databases are caches of theirs, and half a one (without what stands beside it) is worse than none.
LEFT_OUT = (".sqlite", ".sqlite-wal", ".sqlite-shm", ".db", ".db-wal", ".db-shm", ".sock", ".lock")
#: Beside the view: what the copies of the logins were, and where they came from.
LOGINS, FROM = ".logins", "home"


def lay_out(home: Home, folder: Path, view: Path, beside: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Make `view` look like `folder`, the person's, with the files `beside` in it: (writable, read-only) real paths."""
    view.mkdir(mode=PRIVATE_MODE, parents=True, exist_ok=True)
    if home.sessions:
        (folder / home.sessions).mkdir(mode=PRIVATE_MODE, exist_ok=True)
    writable, read_only = [view], list[Path]()
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        path, place = folder / entry.name, view / entry.name
        if entry.name in home.rewritten:
            _clear(place)
            shutil.copytree(path, place, symlinks=True)
        elif entry.name in home.read_only or entry.is_dir(follow_symlinks=False):
            _clear(place)
            place.symlink_to(path)
            (read_only if entry.name in home.read_only else writable).append(path)
        elif not entry.name.endswith(LEFT_OUT):
            _copy(folder, entry.name, place)
    for path in beside:
        if path.parent != folder:
            _copy(path.parent, path.name, view / path.name)
    _remember_logins(home, folder, view)
    return writable, read_only


def give_back(view: Path) -> None:
    """Give a person the logins that an agent renewed in `view`; those they have renewed themselves stay."""
    kept = view.with_name(view.name + LOGINS)
    for before in kept.iterdir() if kept.is_dir() else ():
        if before.name == FROM:
            continue
        person = (kept / FROM).readlink()
        renewed, was = _content(view, before.name), before.read_bytes()
        if renewed and renewed != was and _content(person, before.name) == was:
            replace_file(person / before.name, renewed)
            (person / before.name).chmod(FILE_MODE)
    shutil.rmtree(kept, ignore_errors=True)


def _remember_logins(home: Home, folder: Path, view: Path) -> None:
    kept = view.with_name(view.name + LOGINS)
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(mode=PRIVATE_MODE)
    (kept / FROM).symlink_to(folder)
    for name in home.logins:
        _copy(folder, name, kept / name)


def _copy(folder: Path, name: str, place: Path) -> None:
    """A copy of a file that is one, and not too large; whatever else an agent may have put there is left out."""
    _clear(place)
    content = _content(folder, name)
    if content is not None:
        place.touch(mode=FILE_MODE)
        place.write_bytes(content)


def _content(folder: Path, name: str) -> bytes | None:
    try:
        return beneath.read(folder, name, MAX_FILE_BYTES)
    except OSError:
        return None


def _clear(place: Path) -> None:
    """Take away what stands there, links as links: an agent of an earlier attempt may have put it there."""
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    with suppress(FileNotFoundError):
        place.unlink()
