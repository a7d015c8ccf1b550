"""Takes a value out of what was stored before it was known to be secret: store, backups beside it, logs, agent homes.

Every step may be done again, so a scrub that was cut off is finished by the next. Web and workers may run meanwhile:
rows change in one transaction, files in place and by as many bytes, so that whoever appends goes on.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from shared import audit
from shared.audit import Act, Actor
from shared.config import Config
from shared.errors import NotReady, Unavailable
from shared.secrets.redaction import MASK, Redactor
from shared.store import open_store
from shared.store.database import raw, transaction
from shared.store.models import json_text
from workers import beneath, scrubbed_archive

#: The agents' work is theirs and their people's; sealed secrets and git objects hold no value as it is.
UNTOUCHED = ("worktrees", "repositories")
SQLITE = b"SQLite format 3\0"
SQLITES_OWN = ("-wal", "-shm", "-journal")  # beside a database, and of no use to anybody else
AUDIT = "audit_entry"
WINDOW_BYTES = 4 << 20
#: How long the write-ahead log may stay in use by somebody who reads.
BUSY_SECONDS = 30.0
MOST_NAMED = 100

Cell = str | bytes | int | float | None


@dataclass
class Report:
    """How often the value stood where: rows by table, places by file; and files of agents' work it still stands in."""

    rows: Counter[str] = field(default_factory=Counter)
    files: Counter[str] = field(default_factory=Counter)
    left: list[str] = field(default_factory=list)


def scrub(config: Config, value: str, *, dry_run: bool = False, archives: Iterable[Path] = ()) -> Report:
    """Mask the value, in all its forms, wherever openRuntime stored it, and in backup archives; with `dry_run` only count.

    Raises BadRequest for a value too short to be told from text, NotReady without a store, Unavailable when somebody
    kept reading and the old pages could not be dropped: the values are masked then, and the next scrub drops them.
    """
    masker = Redactor({"value to scrub": value}, rules=False)
    if not config.database.is_file():
        raise NotReady(f"There is no store at {config.database}; nothing to scrub.")
    open_store(config)
    report = Report()
    _scrub_store(masker, report, dry_run)
    for root, name in _files(config):
        with suppress(FileNotFoundError):  # an attempt that was cleaned up meanwhile
            if _is_sqlite(root, name):
                _scrub_copy(root / name, name, masker, report, dry_run)
            elif places := _scrub_file(root, name, masker, dry_run):
                report.files[masker.redact(name)] += places
    for archive in archives:
        _scrub_archive(archive, masker, report, dry_run)
    report.left = sorted(islice(_still_in_work(config, masker), MOST_NAMED))
    return report


def _scrub_store(masker: Redactor, report: Report, dry_run: bool) -> None:
    """The store itself, in one transaction; recorded also when nothing was found, for whoever asks what was looked for."""
    connection = raw()
    with transaction():
        counted, spoken = _masked_rows(connection, masker, dry_run=dry_run)
        report.rows.update(counted)
        if not dry_run:
            rows = sum(counted.values())
            audit.record(Act.SCRUB, "store", actor=Actor.TERMINAL, entries=spoken, rows=rows)
    if not dry_run:
        _drop_old_pages(connection)


def _scrub_copy(path: Path, name: str, masker: Redactor, report: Report, dry_run: bool) -> bool:
    """A backup of a store, whatever its version: in place, nothing of the old pages left; whether it held the value."""
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as copy:
        copy.execute("BEGIN" if dry_run else "BEGIN IMMEDIATE")
        counted, spoken = _masked_rows(copy, masker, dry_run=dry_run)
        if spoken:
            words = json_text({"entries": spoken})
            audit.append(copy, Actor.TERMINAL, Act.SCRUB, "store", None, None, words)
        copy.execute("COMMIT")
        if not dry_run:
            _drop_old_pages(copy)
    for table, rows in counted.items():
        report.rows[f"{name}: {table}"] += rows
    return bool(counted)


def _scrub_archive(archive: Path, masker: Redactor, report: Report, dry_run: bool) -> None:
    def mask(copy: Path) -> bool:
        return _scrub_copy(copy, str(archive), masker, report, dry_run) and not dry_run

    scrubbed_archive.rewrite(archive, mask)


def _masked_rows(
    connection: sqlite3.Connection, masker: Redactor, *, dry_run: bool
) -> tuple[Counter[str], list[int]]:
    """How many rows of which table held the value, and the audit entries that lost their words and keep their hash."""

    def holds(value: Cell) -> bool:
        return isinstance(value, str | bytes) and bool(masker.found(_bytes(value)))

    def masked(value: Cell) -> Cell:
        if isinstance(value, str):
            return masker.redact(value)
        return masker.redact_bytes(value) if isinstance(value, bytes) else value

    connection.create_function("holds", 1, holds, deterministic=True)
    connection.create_function("masked", 1, masked, deterministic=True)
    counted: Counter[str] = Counter()
    spoken: list[int] = []
    for table, columns in _tables(connection):
        (rows,) = connection.execute(f"SELECT count(*) FROM ({_holding(table, '1', columns)})").fetchone()  # noqa: S608
        if rows:
            counted[table] = rows
        if rows and not dry_run and table == AUDIT:
            spoken = [seq for (seq,) in connection.execute(_holding(AUDIT, "seq", columns))]
            listed = ",".join(map(str, spoken))
            connection.execute(f"UPDATE {AUDIT} SET detail = NULL WHERE seq IN ({listed})")  # noqa: S608
        elif rows and not dry_run:
            changes = ", ".join(f'"{column}" = masked("{column}")' for column in columns)
            where = " OR ".join(f'holds("{column}")' for column in columns)
            connection.execute(f'UPDATE OR REPLACE "{table}" SET {changes} WHERE {where}')  # noqa: S608
    return counted, spoken


def _tables(connection: sqlite3.Connection) -> Iterator[tuple[str, list[str]]]:
    """Every table of ours with its columns that may hold text or bytes."""
    names = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    )
    for (table,) in names.fetchall():
        columns = connection.execute("SELECT name, type FROM pragma_table_info(?)", (table,)).fetchall()
        wordy = [name for name, kind in columns if kind.upper() not in ("INTEGER", "REAL")]
        if wordy:
            yield table, wordy


def _holding(table: str, chosen: str, columns: Iterable[str]) -> str:
    where = " OR ".join(f'holds("{column}")' for column in columns)
    return f'SELECT {chosen} FROM "{table}" WHERE {where}'  # noqa: S608 -- names are the schema's


def _drop_old_pages(connection: sqlite3.Connection) -> None:
    """Rewrite the file without what was replaced, and empty the write-ahead log, which keeps old pages too."""
    connection.execute("PRAGMA temp_store = FILE")  # the whole store may be more than fits in memory
    connection.execute("VACUUM")
    until = time.monotonic() + BUSY_SECONDS
    while True:
        (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if not busy:
            return
        if time.monotonic() > until:
            raise Unavailable("The value is masked, but old pages are still being read; run the scrub again.")
        time.sleep(0.1)


def _files(config: Config) -> Iterator[tuple[Path, str]]:
    """(folder, name below it) of all that may hold text, but the store, the broker's ids and the agents' work."""
    store = config.database
    passed = {store, config.broker_file, config.secrets_key_file, config.token_file}
    if store.parent != config.data:
        yield from ((store.parent, path.name) for path in store.parent.glob(f"{store.name}.*.backup"))
    for folder, folders, names in os.walk(config.data):
        if Path(folder) == config.data:
            folders[:] = [name for name in folders if name not in UNTOUCHED]
        for path in (Path(folder, name) for name in sorted(names)):
            is_plain = path.is_file() and not path.is_symlink() and not path.name.endswith(SQLITES_OWN)
            if is_plain and path not in passed:
                yield config.data, os.path.relpath(path, config.data)


def _is_sqlite(root: Path, name: str) -> bool:
    with _opened(root, name) as file:
        return os.pread(file, len(SQLITE), 0) == SQLITE


def _scrub_file(root: Path, name: str, masker: Redactor, dry_run: bool) -> int:
    """Overwrite each place with as many bytes: a shim that appends to its log, or a worker that reads it, goes on."""
    places = 0
    with _opened(root, name, beneath.READ if dry_run else beneath.WRITE) as file:
        for at, data in _windows(file, masker.longest):
            for start, end in masker.found(data):
                places += 1
                if not dry_run:
                    os.pwrite(file, _filling(end - start), at + start)
        if places and not dry_run:
            os.fsync(file)
    return places


@contextmanager
def _opened(root: Path, name: str, flags: int = beneath.READ) -> Iterator[int]:
    """An agent may write in some of the folders: no link of its making is followed."""
    file = beneath.open_file(root, name, flags=flags)
    try:
        yield file
    finally:
        os.close(file)


def _windows(descriptor: int, overlap: int) -> Iterator[tuple[int, bytes]]:
    """(offset, bytes) of pieces that overlap by less than the longest form, each read when it is asked for."""
    at = 0
    while data := os.pread(descriptor, WINDOW_BYTES + overlap, at):
        yield at, data
        at += WINDOW_BYTES


def _still_in_work(config: Config, masker: Redactor) -> Iterator[str]:
    for folder, _, names in os.walk(config.worktrees):
        for name in (os.path.relpath(Path(folder, name), config.worktrees) for name in names):
            with suppress(OSError), _opened(config.worktrees, name) as file:
                if any(masker.found(data) for _, data in _windows(file, masker.longest)):
                    yield masker.redact(f"worktrees/{name}")


def _bytes(value: str | bytes) -> bytes:
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value


def _filling(length: int) -> bytes:
    mask = MASK.encode()
    return mask.ljust(length, b"*") if length >= len(mask) else b"*" * length
