"""Permissions of files that an update writes anew in a folder without git: git keeps one bit of them, the person all."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from workers import beneath
from workers.repository.difference import Touched
from workers.repository.worktree import replace_file

NAME = "permissions.json"
EXECUTABLE = 0o111


def remember(folder: Path, paths: Sequence[Touched], scratch: Path) -> None:
    """Note mode and owner of every touched file that is there, in `scratch`; what was noted before a crash stays."""
    if (scratch / NAME).exists():
        return
    noted = {}
    for item in paths:
        with suppress(OSError):
            found = os.lstat(os.path.join(os.fsencode(folder), item.path))
            if stat.S_ISREG(found.st_mode):
                noted[os.fsdecode(item.path)] = (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid)
    replace_file(scratch / NAME, json.dumps(noted).encode())


def give_back(folder: Path, scratch: Path) -> None:
    """Give files that are there (again) what was noted, except that the bit git keeps is as git wrote it. Repeatable."""
    try:
        noted = json.loads((scratch / NAME).read_bytes())
    except OSError:
        return
    for path, (mode, user, group) in noted.items():
        try:
            descriptor = beneath.open_file(folder, os.fsencode(path))
        except OSError:
            continue  # deleted, or a link now
        try:
            with suppress(OSError):
                if os.geteuid() == 0:
                    os.fchown(descriptor, user, group)
                os.fchmod(descriptor, _merged(mode, os.fstat(descriptor).st_mode))
        finally:
            os.close(descriptor)
    (scratch / NAME).unlink()


def _merged(mode: int, written: int) -> int:
    is_executable = bool(written & stat.S_IXUSR)
    if is_executable == bool(mode & stat.S_IXUSR):
        return mode
    return mode | (mode & 0o444) >> 2 if is_executable else mode & ~EXECUTABLE
