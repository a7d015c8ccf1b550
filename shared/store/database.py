"""The connection to the store: one per thread, WAL, opened lazily and therefore after every fork."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import peewee

from shared.config import Config
from shared.errors import ConfigError
from shared.store import migrate

#: A writer may wait for others this long; SQLite starves unlucky writers under load (reliability fact 15).
BUSY_SECONDS = 30
#: File systems where WAL's shared memory does not work between processes (sqlite.org/wal.html).
MOUNTS = Path("/proc/self/mounts")
NETWORK_FILE_SYSTEMS = frozenset("nfs nfs4 cifs smb3 smbfs 9p fuse.sshfs afs ceph".split())

database = peewee.SqliteDatabase(None, lock_type="IMMEDIATE", timeout=BUSY_SECONDS)


def open_store(config: Config) -> None:
    """Create or upgrade the store file and point this process's connections at it.

    Raises SchemaRefused for a file of another program or a newer version, ConfigError where no store can be.
    """
    try:
        prepare_folder(config.data)
        config.database.parent.mkdir(parents=True, exist_ok=True)
        refuse_network_file_system(config.database.parent)
        migrate.upgrade(config.database)
    except OSError as error:
        raise ConfigError(
            f"The store cannot be kept at {config.database}: {error.strerror} ({error.filename});"
            " choose another folder with OPENRUNTIME_DATA."
        ) from error
    connect(config.database)


def connect(path: Path) -> None:
    """Point this process at an up-to-date store file; nothing is opened before the first query.

    synchronous=FULL: a committed command survives a power cut before its 2xx leaves (rule 1).
    """
    close()
    database.init(
        str(path),
        timeout=BUSY_SECONDS,
        pragmas={"journal_mode": "wal", "synchronous": "full", "foreign_keys": 1, "temp_store": "memory"},
    )


@contextmanager
def transaction() -> Iterator[None]:
    """A write transaction (BEGIN IMMEDIATE); inside another one, a savepoint. `database.after_commit` defers."""
    with database.atomic():
        yield


def raw() -> sqlite3.Connection:
    """This thread's sqlite3 connection, for the one hot path (Peewee costs seven times the CPU there)."""
    return database.connection()


def close() -> None:
    """Close this thread's connection."""
    if not database.is_closed():
        database.close()


def prepare_folder(folder: Path) -> None:
    """The data directory is the person's own: created and kept 0700."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.stat()
    if found.st_mode & 0o077 and found.st_uid == os.geteuid():
        folder.chmod(0o700)


def refuse_network_file_system(folder: Path, mounts: Path = MOUNTS) -> None:
    """Raise ConfigError when `folder` really lies on a network file system, by the kernel's table of mounts."""
    place = os.path.realpath(folder)
    best, kind = "", ""
    try:
        table = mounts.read_text(errors="surrogateescape")
    except OSError:
        return
    for line in table.splitlines():
        _, mount, found, *_ = [*line.split(" "), "", "", ""]
        mount = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), mount)
        below = place == mount or place.startswith(mount.rstrip("/") + "/")
        if mount and below and len(mount) >= len(best):
            best, kind = mount, found
    if kind in NETWORK_FILE_SYSTEMS:
        raise ConfigError(
            f"{folder} is on a network file system ({kind}); keep OPENRUNTIME_DATA on a local disk."
        )
