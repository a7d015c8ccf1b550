"""The queue file's connection: one per process, for one thread at a time, reopened when the file is replaced."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dramatiq.errors import ConnectionClosed

VERSION = 1
SCHEMA = """
CREATE TABLE message(
  id INTEGER PRIMARY KEY AUTOINCREMENT,  -- the delivery id, never used again
  message_id TEXT NOT NULL,              -- Dramatiq's; a retry has the same
  queue TEXT NOT NULL,
  actor TEXT NOT NULL,
  priority INTEGER NOT NULL,             -- lower first
  enqueued_at REAL NOT NULL,             -- Unix seconds, as all instants here
  due_at REAL NOT NULL,                  -- 0 at once
  owner TEXT,                            -- who claimed it; NULL waiting
  deliveries INTEGER NOT NULL DEFAULT 0,
  dedup_key TEXT,                        -- only while it waits
  body BLOB NOT NULL
);
CREATE INDEX message_waiting ON message(queue, priority, id, due_at) WHERE owner IS NULL;
CREATE INDEX message_claimed ON message(owner, queue) WHERE owner IS NOT NULL;
CREATE UNIQUE INDEX message_once ON message(queue, dedup_key) WHERE dedup_key IS NOT NULL;
CREATE TABLE dead_letter(
  id INTEGER PRIMARY KEY,
  message_id TEXT NOT NULL,
  queue TEXT NOT NULL,
  actor TEXT NOT NULL,
  dead_at REAL NOT NULL,
  reason TEXT NOT NULL,
  body BLOB NOT NULL
);
"""
WAL_LIMIT_BYTES = 4 << 20
RETRY_SECONDS = 0.01


class QueueFile:
    """The SQLite file at `path`, opened at first use.

    Every failure of the file is dramatiq.errors.ConnectionClosed, which a Dramatiq worker retries and a caller
    that only rings a doorbell may ignore. No call blocks longer than twice `busy_timeout_seconds`: once for
    this process's other threads, once for other processes.
    """

    def __init__(self, path: Path, *, synchronous: str, busy_timeout_seconds: float) -> None:
        self.path = path
        self._synchronous = synchronous
        self._busy_timeout_seconds = busy_timeout_seconds
        self._turn = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self._closed = False

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection outside of a transaction: each statement sees the last commit."""
        if not self._turn.acquire(timeout=self._busy_timeout_seconds):
            raise ConnectionClosed(f"The queue file {self.path} is busy; try again.")
        try:
            yield self._opened()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) or type(error) is sqlite3.DatabaseError:
                raise ConnectionClosed(f"The queue file {self.path} cannot be used: {error}.") from error
            raise
        finally:
            self._turn.release()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction that holds the write lock from its start."""
        with self.reading() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close for good: what is asked of it afterwards raises ConnectionClosed."""
        with self._turn:
            self._closed = True
            self._drop()

    def _opened(self) -> sqlite3.Connection:
        if self._closed:
            raise ConnectionClosed("The broker is closed.")
        if self._connection is not None and _inode(self.path) != self._inode:
            self._drop()  # someone removed the file; the others use the new one
        if self._connection is None:
            self._connection = self._open()
            self._inode = _inode(self.path)
        return self._connection

    def _open(self) -> sqlite3.Connection:
        _create_private(self.path)
        connection = sqlite3.connect(
            self.path, timeout=self._busy_timeout_seconds, isolation_level=None, check_same_thread=False
        )
        try:
            self._use_wal(connection)
            connection.execute(f"PRAGMA synchronous = {self._synchronous}")
            connection.execute(f"PRAGMA journal_size_limit = {WAL_LIMIT_BYTES}")
            self._create_tables(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _use_wal(self, connection: sqlite3.Connection) -> None:
        """Several processes may do this first at once, and SQLite does not wait its busy timeout here."""
        deadline = time.monotonic() + self._busy_timeout_seconds
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(RETRY_SECONDS)

    def _create_tables(self, connection: sqlite3.Connection) -> None:
        if _version(connection) == VERSION:
            return
        connection.execute("BEGIN IMMEDIATE")
        found = _version(connection)  # another process may just have made them
        if found == 0:
            for statement in SCHEMA.split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
        if found not in (0, VERSION):
            raise ConnectionClosed(
                f"The queue file {self.path} was made by another version. Stop all processes and delete it; "
                "it holds nothing that is not in the store."
            )

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


def _create_private(path: Path) -> None:
    """Make the file 0600. Only when it is new: closing a descriptor of it would drop SQLite's own locks."""
    with suppress(FileExistsError, OSError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _inode(path: Path) -> int:
    try:
        return os.stat(path).st_ino
    except OSError:
        return 0


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
