"""Which consuming processes are alive: each holds a lock on a file of its own, which its death releases.

A POSIX lock is exact and instant and does not expire while a laptop sleeps, as a lease would. It is not
inherited by a forked child, so an agent cannot keep a dead worker alive, as it would with flock.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from contextlib import suppress
from pathlib import Path

SUFFIX = ".lock"
TAKE_ATTEMPTS = 10

_held_here: dict[str, int] = {}
"""Owner to pid. A POSIX lock does not keep its own process out, and closing a second descriptor drops it."""


class OwnerLock:
    """This process's proof of life under the name `owner`."""

    def __init__(self, owner: str, path: Path, descriptor: int) -> None:
        self.owner = owner
        self._path = path
        self._descriptor = descriptor

    def keep(self) -> None:
        """Make the file again if someone removed it: without it the others take this process for dead."""
        if _is_at(self._descriptor, self._path):
            return
        with suppress(OSError):
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            descriptor = _create(self._path)
            if not _lock(descriptor):  # someone was just looking whether it is free; next time
                os.close(descriptor)
                return
            lost, self._descriptor = self._descriptor, descriptor
            os.close(lost)

    def release(self) -> None:
        """Be dead to the others: what this owner still claims is theirs to take."""
        with suppress(OSError):
            self._path.unlink()
        os.close(self._descriptor)
        _held_here.pop(self.owner, None)


class Owners:
    """The locks of all consuming processes, in one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def take(self) -> OwnerLock:
        """Prove from now on that this process lives, under a name never used before. Raises OSError."""
        self._directory.mkdir(mode=0o700, exist_ok=True)
        for _ in range(TAKE_ATTEMPTS):
            owner = f"{os.getpid()}-{secrets.token_hex(8)}"
            _held_here[owner] = os.getpid()
            path = self._path(owner)
            descriptor = _create(path)
            if _lock(descriptor) and _is_at(
                descriptor, path
            ):  # else someone was just looking whether it is free
                return OwnerLock(owner, path, descriptor)
            os.close(descriptor)
            _held_here.pop(owner, None)
        raise OSError(f"No lock could be taken in {self._directory}.")

    def is_alive(self, owner: str) -> bool:
        """Whether the process of `owner` lives. A name that cannot be examined counts as alive."""
        if _held_here.get(owner) == os.getpid():
            return True
        try:
            descriptor = os.open(self._path(owner), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        try:
            if not _lock(descriptor):
                return True
            with suppress(OSError):
                self._path(
                    owner
                ).unlink()  # under the lock: if it was only just made, its maker makes another
            return False
        finally:
            os.close(descriptor)

    def remove_dead(self) -> None:
        """Remove the lock files of processes that died."""
        with suppress(OSError):
            for name in os.listdir(self._directory):
                if name.endswith(SUFFIX):
                    self.is_alive(name.removesuffix(SUFFIX))

    def _path(self, owner: str) -> Path:
        return self._directory / f"{owner}{SUFFIX}"


def _create(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except OSError:
        return False
