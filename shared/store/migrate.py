"""Forward-only, numbered migrations: a backup first, then all steps in one transaction."""

from __future__ import annotations

import fcntl
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
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


def upgrade(path: Path) -> Path | None:
    """Bring the store at `path` to the newest schema; returns the backup made, if one was needed.

    Raises SchemaRefused, and changes nothing, for a newer schema or another program's database.
    """
    with _locked(path), closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as db:
        try:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            owner = db.execute("PRAGMA application_id").fetchone()[0]
            empty = not db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
        except sqlite3.DatabaseError as error:
            raise SchemaRefused(f"{path} is not a readable SQLite database ({error}).") from error
        if owner == APPLICATION_ID and version == newest():
            return None
        if owner == APPLICATION_ID and version > newest():
            raise SchemaRefused(
                f"{path} has schema {version}, newer than this program's {newest()}; upgrade openruntime."
            )
        imported = not empty and owner != APPLICATION_ID
        if imported and not legacy.recognises(db):
            raise SchemaRefused(f"{path} was made by another program; point OPENRUNTIME_DB somewhere else.")
        backup = None if empty else _back_up(db, path)
        _apply(db, version, imported)
        return backup


def _apply(db: sqlite3.Connection, version: int, imported: bool) -> None:
    db.execute("PRAGMA foreign_keys = OFF")
    db.execute("BEGIN IMMEDIATE")
    try:
        for number, sql in steps():
            if number > version:
                for statement in _statements(sql):
                    db.execute(statement)
                if imported and number == 1:
                    legacy.copy(db)
        db.execute(f"PRAGMA user_version = {newest()}")
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute("COMMIT")
    except BaseException:
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


def _back_up(db: sqlite3.Connection, path: Path) -> Path:
    """A consistent copy beside the store, made before the first change."""
    target = path.with_name(f"{path.name}.{now():%Y%m%dT%H%M%S%f}.backup")
    with closing(sqlite3.connect(target)) as copy:
        db.backup(copy)
    target.chmod(0o600)
    return target


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One upgrade at a time: web and workers start together."""
    with path.with_name(path.name + ".upgrade-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            path.touch(mode=0o600)
        yield
