"""Forward-only, numbered migrations: a backup first, then all steps in one transaction."""

from __future__ import annotations

import fcntl
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from shared.clock import now
from shared.errors import SchemaRefused
from shared.store import legacy

#: "oRun": marks the file as ours, so that another program's database is never taken for one.
APPLICATION_ID = 0x6F52756E
STEP = re.compile(r"(\d{4})_[a-z0-9_]+\.sql$")


def steps() -> list[tuple[int, str]]:
    """Every migration as (number, SQL), ascending."""
    folder = resources.files("shared.store") / "migrations"
    found = [(int(match.group(1)), item) for item in folder.iterdir() if (match := STEP.match(item.name))]
    return [(number, item.read_text()) for number, item in sorted(found, key=lambda pair: pair[0])]


def newest() -> int:
    """The schema version this program writes."""
    return steps()[-1][0]


@dataclass(frozen=True)
class _Found:
    """What a file is, by its header and its tables."""

    owner: int
    version: int
    empty: bool
    legacy: bool


def upgrade(path: Path) -> Path | None:
    """Bring the store at `path` to the newest schema; returns the backup made, if one was needed.

    Raises SchemaRefused, and changes nothing, for a newer schema, another program's database or a damaged one.
    """
    with _locked(path):
        found = _look(path)
        fresh = found.empty and (found.owner, found.version) == (0, 0)
        if found.owner == APPLICATION_ID and found.version == newest():
            return None
        if found.owner == APPLICATION_ID and found.version > newest():
            raise SchemaRefused(
                f"{path} has schema {found.version}, newer than this program's {newest()}; upgrade openruntime."
            )
        if not (fresh or found.legacy or found.owner == APPLICATION_ID):
            raise SchemaRefused(f"{path} was made by another program; point OPENRUNTIME_DB somewhere else.")
        try:
            with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as db:
                backup = None if fresh else _back_up(db, path)
                _apply(db, found)
        except sqlite3.Error as error:
            raise SchemaRefused(f"{path} could not be upgraded, and stays as it is: {error}.") from error
        return backup


def _look(path: Path) -> _Found:
    """Read what the file is, without write access: closing a writer would fold another program's WAL into it."""
    try:
        return _read(path, "ro")
    except sqlite3.OperationalError:
        #: What a killed writer left (a hot journal) can only be rolled back by a writer.
        return _read(path, "rw")


def _read(path: Path, mode: str) -> _Found:
    uri = f"{Path(os.path.abspath(path)).as_uri()}?mode={mode}"
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=30, isolation_level=None)) as db:
            version = int(db.execute("PRAGMA user_version").fetchone()[0])
            owner = int(db.execute("PRAGMA application_id").fetchone()[0])
            empty = not db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
            return _Found(owner, version, empty, owner == 0 and not empty and legacy.recognises(db))
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError) and mode == "ro":
            raise
        raise SchemaRefused(f"{path} is not a readable SQLite database ({error}).") from error


def _apply(db: sqlite3.Connection, found: _Found) -> None:
    db.execute("PRAGMA foreign_keys = OFF")
    db.execute("BEGIN IMMEDIATE")
    try:
        for number, sql in steps():
            if number > found.version:
                for statement in _statements(sql):
                    db.execute(statement)
                if found.legacy and number == 1:
                    legacy.copy(db)
        db.execute(f"PRAGMA user_version = {newest()}")
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    db.execute("PRAGMA journal_mode = WAL")


def _statements(sql: str) -> Iterator[str]:
    """Statements one by one: `executescript` would commit the transaction the upgrade is in."""
    statement = ""
    for line in sql.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        raise ValueError(f"a migration ends in the middle of a statement: {statement!r}")


def _back_up(db: sqlite3.Connection, path: Path) -> Path:
    """A consistent copy beside the store, made before the first change; raises SchemaRefused for a damaged one."""
    (damage,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if damage != "ok":
        raise SchemaRefused(
            f"{path} is damaged ({damage}); restore a backup, or point OPENRUNTIME_DB elsewhere."
        )
    target = path.with_name(f"{path.name}.{now():%Y%m%dT%H%M%S%f}.backup")
    target.touch(mode=0o600, exist_ok=False)
    with closing(sqlite3.connect(target)) as copy:
        db.backup(copy)
    path.chmod(0o600)
    return target


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One upgrade at a time: web and workers start together."""
    with open(path.with_name(path.name + ".upgrade-lock"), "w", opener=private) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            path.touch(mode=0o600)
        yield


def private(path: str, flags: int) -> int:
    """An opener for `open`: a file that is made is its owner's only."""
    return os.open(path, flags, 0o600)
