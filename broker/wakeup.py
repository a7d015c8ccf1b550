"""Wake-ups between processes of one host: a datagram after a commit, polling where none can be received."""

from __future__ import annotations

import hashlib
import os
import secrets
import select
import socket
import sqlite3
import stat
import threading
import urllib.parse
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

SUFFIX = ".sock"
MAX_SOCKET_PATH_BYTES = 100
"""A unix socket's path may have 107 bytes on Linux and 103 on macOS."""
MAX_NAME_BYTES = 32
POLL_SECONDS = 0.02
"""Measured: 10.9 ms median delay at 0.43 % of a core; a datagram takes 0.9 ms at 0.03 %."""
BIND_ATTEMPTS = 20


class Wakeup:
    """A bell that any process of this user can ring and any process can listen to.

    `directory` names the bell; it need not exist. The sockets live in it, or, where its path is too long for
    a socket, in a private directory under /tmp derived from it, so every process finds the same place from
    the path alone. A ring carries nothing and may be lost or merged with another: a listener looks at the
    database when it rings, and at least once a second anyway.

    `watch` is an SQLite file whose commits ring the listeners of this process where no socket can be bound.
    """

    def __init__(self, directory: Path, *, watch: Path | None = None) -> None:
        self._folders = runtime_folders(directory)
        self._watch = watch

    @property
    def directory(self) -> Path:
        """Where the sockets are."""
        return self._folders[-1]

    def notify(self, *, besides: Listener | None = None) -> None:
        """Ring every listener but `besides`. Never blocks and never raises; removes sockets of dead processes."""
        paths = [path for path in self._sockets() if besides is None or path != besides.path]
        if not paths:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            for path in paths:
                _ring(sender, path)

    def listener(self) -> Listener:
        """A new listener of this process, for one thread. Close it; after a fork only its maker may use it."""
        for _ in range(BIND_ATTEMPTS):
            try:
                return _BoundListener(self._bind(), leave=self._leave)
            except FileNotFoundError:
                continue  # the last listener of another process took the directory away in between
            except OSError:
                break
        return _PollingListener(self._watch)

    def _sockets(self) -> list[str]:
        try:
            for folder in self._folders:
                _check_private(folder)
            with os.scandir(self.directory) as entries:
                return [entry.path for entry in entries if entry.name.endswith(SUFFIX)]
        except OSError:
            return []

    def _bind(self) -> tuple[socket.socket, str]:
        self._folders[0].parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in self._folders:
            with suppress(FileExistsError):
                folder.mkdir(mode=0o700)
            _check_private(folder)
        path = str(self.directory / f"{os.getpid()}-{secrets.token_hex(6)}{SUFFIX}")
        receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            receiver.setblocking(False)
            receiver.bind(path)
        except OSError:
            receiver.close()
            raise
        return receiver, path

    def _leave(self) -> None:
        if len(self._folders) > 1:  # nobody else would ever tidy up under /tmp
            with suppress(OSError):
                for folder in reversed(self._folders):
                    folder.rmdir()


class Listener:
    """One thread's end of a bell: select on it, or `wait`."""

    path: str | None = None
    """The socket's path; None where wake-ups come from polling."""

    def __init__(self, receiver: socket.socket) -> None:
        self._receiver = receiver

    def fileno(self) -> int:
        """Readable when it has rung; call `drain` before looking at the database."""
        return self._receiver.fileno()

    def drain(self) -> bool:
        """Take all rings there are; whether there was one. Never blocks."""
        rung = False
        with suppress(BlockingIOError):
            while self._receiver.recv(64):
                rung = True
        return rung

    def wait(self, timeout_seconds: float) -> bool:
        """Sleep until it rings, at most `timeout_seconds`; whether it rang."""
        poller = select.poll()
        poller.register(self._receiver, select.POLLIN)
        return bool(poller.poll(max(0.0, timeout_seconds) * 1000)) and self.drain()

    def is_lost(self) -> bool:
        """Whether its socket was removed from the directory, so that nobody can ring it: make a new one."""
        return self.path is not None and not os.path.exists(self.path)

    def poke(self) -> None:
        """Ring this listener only, from any thread of its process."""
        raise NotImplementedError

    def close(self) -> None:
        """Stop listening. May be called twice."""
        self._receiver.close()


class _BoundListener(Listener):
    def __init__(self, bound: tuple[socket.socket, str], *, leave: Callable[[], None]) -> None:
        super().__init__(bound[0])
        self.path = bound[1]
        self._leave = leave
        self._maker = os.getpid()

    def poke(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender, suppress(OSError):
            sender.setblocking(False)
            sender.sendto(b"\0", self.path or "")

    def close(self) -> None:
        if self._receiver.fileno() < 0:
            return
        if os.getpid() == self._maker:  # a forked child must not take its parent's address away
            with suppress(OSError):
                os.unlink(self.path or "")
            self._leave()
        super().close()


class _PollingListener(Listener):
    """Rings when another connection commits to `watch`; never rings by itself when there is nothing to watch."""

    def __init__(self, watch: Path | None) -> None:
        receiver, self._sender = socket.socketpair()
        receiver.setblocking(False)
        self._sender.setblocking(False)
        super().__init__(receiver)
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        if watch is not None:
            self._thread = threading.Thread(target=self._poll, args=(watch,), name="commit-poll", daemon=True)
            self._thread.start()

    def poke(self) -> None:
        with suppress(OSError):
            self._sender.send(b"\0")

    def close(self) -> None:
        self._closed.set()
        if self._thread is not None and self._thread.is_alive():
            self._thread.join()
        self._sender.close()
        super().close()

    def _poll(self, watch: Path) -> None:
        while not self._closed.wait(POLL_SECONDS):
            with suppress(OSError, sqlite3.Error):
                self._poll_file(watch)

    def _poll_file(self, watch: Path) -> None:
        """Poll until closed, or until another file stands at this path."""
        file = os.stat(watch).st_ino
        address = f"file:{urllib.parse.quote(str(watch))}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as connection:
            self.poke()  # what was committed before we looked
            seen = connection.execute("PRAGMA data_version").fetchone()
            while not self._closed.wait(POLL_SECONDS) and os.stat(watch).st_ino == file:
                version = connection.execute("PRAGMA data_version").fetchone()
                if version != seen:
                    seen = version
                    self.poke()


def runtime_folders(directory: Path) -> list[Path]:
    """The directories to create for a bell's sockets, the sockets' own last."""
    directory = Path(os.path.abspath(directory))
    if len(os.fsencode(directory)) + 1 + MAX_NAME_BYTES <= MAX_SOCKET_PATH_BYTES:
        return [directory]
    digest = hashlib.blake2b(os.fsencode(directory), digest_size=10).hexdigest()
    home = Path(f"/tmp/openruntime-{os.geteuid()}")  # noqa: S108 - not $TMPDIR: all processes must agree on it
    return [home, home / digest]


def _check_private(folder: Path) -> None:
    """Raises FileNotFoundError, and PermissionError for anything but a directory that only this user may enter."""
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise PermissionError(f"{folder} is not a private directory of this user.")


def _ring(sender: socket.socket, path: str) -> None:
    try:
        sender.sendto(b"\0", path)
    except ConnectionRefusedError:  # nobody has it open any more: its process died
        with suppress(OSError):
            os.unlink(path)
    except OSError:
        pass  # full, so it is awake anyway; or gone in between
