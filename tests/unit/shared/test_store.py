"""The store file: its schema and its models, its modes, where it may lie, and what is refused unchanged."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from shared.config import Config, from_env
from shared.errors import ConfigError, SchemaRefused
from shared.store import migrate
from shared.store.database import (
    BUSY_SECONDS,
    close,
    open_store,
    raw,
    refuse_network_file_system,
    transaction,
)
from shared.store.models import TABLES, Worker
from tests.unit.shared.played import Board


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    close()


def schema(path: Path) -> dict[str, str]:
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        return {name: " ".join(sql.split()) for name, sql in rows}


def pragma(path: Path, name: str) -> Any:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(f"PRAGMA {name}").fetchone()[0]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# Schema


def test_the_models_have_the_schemas_columns(config: Config) -> None:
    tables = {model._meta.table_name for model in TABLES}
    named = {name for (name,) in raw().execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables == {name for name in named if not name.startswith("sqlite_")}
    for model in TABLES:
        columns = raw().execute(f"PRAGMA table_info({model._meta.table_name})").fetchall()
        stored = {name: (bool(required), bool(key)) for _, name, _, required, _, key in columns}
        fields = {
            field.column_name: (not (field.null or field.primary_key), field.primary_key)
            for field in model._meta.sorted_fields
        }
        assert fields == {name: (required and not key, key) for name, (required, key) in stored.items()}


def test_migrations_are_numbered_from_one_without_a_gap() -> None:
    numbers = [number for number, _ in migrate.steps()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert migrate.newest() == len(numbers)


@pytest.mark.parametrize("version", range(1, migrate.newest() + 1))
def test_a_store_of_every_version_becomes_a_fresh_one(
    tmp_path: Path, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = migrate.steps()
    fresh, old = tmp_path / "fresh.db", tmp_path / "old.db"
    migrate.upgrade(fresh)
    monkeypatch.setattr(migrate, "steps", lambda: steps[:version])
    migrate.upgrade(old)
    monkeypatch.setattr(migrate, "steps", lambda: steps)
    backup = migrate.upgrade(old)
    assert schema(old) == schema(fresh)
    assert pragma(old, "user_version") == migrate.newest()
    assert (backup is None) == (version == migrate.newest())


LATER = "CREATE TABLE later (a INTEGER);\nALTER TABLE worker ADD COLUMN later TEXT;\nUPDATE worker SET later = 'x';\n"


@pytest.fixture
def later(config: Config, monkeypatch: pytest.MonkeyPatch) -> Config:
    """A store with a row in it, and a program that knows one migration more."""
    with transaction():
        Worker.create(id="w", host="h", pid=1, version="1", started_at=0, seen_at=0)
    close()
    steps = migrate.steps()
    monkeypatch.setattr(migrate, "steps", lambda: [*steps, (len(steps) + 1, LATER)])
    return config


def test_an_upgrade_keeps_the_rows_and_makes_a_backup_first(later: Config) -> None:
    before = migrate.newest() - 1
    backup = migrate.upgrade(later.database)
    assert backup is not None
    assert backup.parent == later.database.parent
    assert backup.stat().st_mode & 0o777 == 0o600
    assert (pragma(backup, "user_version"), pragma(later.database, "user_version")) == (before, before + 1)
    with closing(sqlite3.connect(later.database)) as db:
        assert db.execute("SELECT id, later FROM worker").fetchall() == [("w", "x")]
    with closing(sqlite3.connect(backup)) as db:
        assert db.execute("SELECT id FROM worker").fetchall() == [("w",)]
    assert migrate.upgrade(later.database) is None


@pytest.mark.parametrize("broken", ["INSERT INTO nowhere VALUES (1);\n", "CREATE TABLE worker (a);\n"])
def test_an_upgrade_that_fails_changes_nothing(
    later: Config, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = migrate.steps()
    monkeypatch.setattr(migrate, "steps", lambda: [*steps, (len(steps) + 1, broken)])
    before = schema(later.database)
    with pytest.raises(SchemaRefused, match="stays as it is"):
        migrate.upgrade(later.database)
    assert schema(later.database) == before
    assert pragma(later.database, "user_version") == len(steps) - 1


def test_a_migration_that_ends_within_a_statement_is_an_error_not_a_silence() -> None:
    assert list(migrate._statements("-- one\nSELECT 1;\nSELECT\n 2;\n")) == [
        "-- one\nSELECT 1;\n",
        "SELECT\n 2;\n",
    ]
    with pytest.raises(ValueError, match="SELECT 3"):
        list(migrate._statements("SELECT 1;\nSELECT 3\n"))


# Refusals


def foreign(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        for statement in statements:
            db.execute(statement)


OURS = f"PRAGMA application_id = {migrate.APPLICATION_ID}"
REFUSED = {
    "newer": (OURS, f"PRAGMA user_version = {migrate.newest() + 1}", "CREATE TABLE task (a)"),
    "foreign tables": ("CREATE TABLE notes (a)",),
    "foreign id": ("PRAGMA application_id = 7", "CREATE TABLE tasks (a)", "CREATE TABLE events (a)"),
    "foreign and empty": ("PRAGMA application_id = 7",),
    "unknown version": ("PRAGMA user_version = 7",),
    "reference with a version": (
        "PRAGMA user_version = 1",
        "CREATE TABLE tasks (a)",
        "CREATE TABLE events (a)",
    ),
    "reference and more": ("CREATE TABLE tasks (a)", "CREATE TABLE events (a)", "CREATE TABLE notes (a)"),
    "half a reference": ("CREATE TABLE tasks (a)",),
    "no columns of the reference": ("CREATE TABLE tasks (a)", "CREATE TABLE events (a)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_ours_is_refused_unchanged(tmp_path: Path, name: str) -> None:
    path = tmp_path / "other.db"
    foreign(path, *REFUSED[name])
    path.chmod(0o640)
    before = digest(path)
    config = from_env({"OPENRUNTIME_DB": str(path)}, data=tmp_path / "data")
    with pytest.raises(SchemaRefused, match=r"other\.db"):
        open_store(config)
    assert digest(path) == before
    if name != "no columns of the reference":
        assert path.stat().st_mode & 0o777 == 0o640


def test_another_programs_write_ahead_log_is_not_folded_in(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE notes (a)")
        files = [path, tmp_path / "other.db-wal"]
        copies = [(tmp_path / "copy" / file.name, file.read_bytes()) for file in files]
    (tmp_path / "copy").mkdir()
    for file, data in copies:
        file.write_bytes(data)
    with pytest.raises(SchemaRefused):
        migrate.upgrade(copies[0][0])
    assert [file.read_bytes() for file, _ in copies] == [data for _, data in copies]


@pytest.mark.parametrize("damage", ["text", "header", "schema page"])
def test_a_file_that_is_no_database_is_refused_unchanged(config: Config, damage: str) -> None:
    close()
    raw_bytes = bytearray(config.database.read_bytes())
    if damage == "text":
        raw_bytes = bytearray(b"this is no database\n" * 99)
    elif damage == "header":
        raw_bytes[:16] = b"x" * 16
    else:
        raw_bytes[100:4096] = b"\xff" * 3996
    config.database.write_bytes(raw_bytes)
    before = digest(config.database)
    with pytest.raises(SchemaRefused, match="not a readable"):
        open_store(config)
    assert digest(config.database) == before


def test_a_damaged_store_is_not_upgraded(later: Config) -> None:
    size = later.database.stat().st_size
    with later.database.open("r+b") as file:
        file.seek(4096 * 2)
        file.write(b"\xff" * (size - 4096 * 4))
    before = digest(later.database)
    with pytest.raises(SchemaRefused):
        migrate.upgrade(later.database)
    assert digest(later.database) == before


def test_a_store_that_is_a_folder_or_lies_below_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for database, data in (
        ("folder", "data"),
        ("file/x.db", "data"),
        ("x.db", "file"),
        ("x.db", "file/data"),
    ):
        config = from_env({"OPENRUNTIME_DB": str(tmp_path / database)}, data=tmp_path / data)
        with pytest.raises((ConfigError, SchemaRefused)) as caught:
            open_store(config)
        assert "\n" not in str(caught.value)
        assert str(tmp_path) in str(caught.value)


# Places and modes


@pytest.mark.parametrize("name", ["a b", "100%", "what?mode=memory", "#1", "naïve 漢", "file:x", "it's"])
def test_the_store_works_wherever_it_lies(tmp_path: Path, name: str) -> None:
    config = from_env({"OPENRUNTIME_DB": str(tmp_path / name / f"{name}.db")}, data=tmp_path / name)
    open_store(config)
    task = Board(tmp_path).new()
    assert config.database.is_file()
    close()
    open_store(config)
    assert task.title
    assert {path.name for path in (tmp_path / name).iterdir()} >= {f"{name}.db", f"{name}.db.upgrade-lock"}
    assert {path.name for path in tmp_path.iterdir()} == {name}


def test_only_the_owner_can_read_the_store(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        (tmp_path / "data").mkdir(mode=0o755)
        config = from_env({}, data=tmp_path / "data")
        open_store(config)
        Board(tmp_path).new()
    finally:
        os.umask(old)
    modes = {path.name: path.stat().st_mode & 0o777 for path in config.data.iterdir()}
    assert {name for name in modes if name.endswith(("-wal", "-shm"))}
    assert set(modes.values()) == {0o600}
    assert config.data.stat().st_mode & 0o777 == 0o700


def test_connections_wait_write_ahead_sync_and_check_references(config: Config) -> None:
    found = {name: raw().execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "foreign_keys")}
    assert found == {"journal_mode": "wal", "foreign_keys": 1}
    close()
    open_store(config)
    assert raw().execute("PRAGMA synchronous").fetchone()[0] == 2
    assert raw().execute("PRAGMA busy_timeout").fetchone()[0] == BUSY_SECONDS * 1000


MOUNTS = """\
/dev/root / ext4 rw 0 0
server:/home /srv/a\\040b nfs4 rw 0 0
server:/home {real} nfs rw 0 0
/dev/sdb {real}/disk ext4 rw 0 0
server:/x {real}/disk/share cifs rw 0 0
//x {real}/over cifs rw 0 0
/dev/sdc {real}/over ext4 rw 0 0
odd
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("real", "nfs"),
        ("real/sub/deeper", "nfs"),
        ("realm", None),
        ("real/disk", None),
        ("real/disk/shared", None),
        ("real/disk/share/x", "cifs"),
        ("real/over/x", None),
        ("link/x", "nfs"),
        ("/srv/a b", "nfs4"),
        ("/srv/a", None),
    ],
)
def test_a_network_file_system_is_refused_by_where_the_folder_really_lies(
    tmp_path: Path, folder: str, kind: str | None
) -> None:
    (tmp_path / "link").symlink_to("real")
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS.format(real=tmp_path.resolve() / "real"))
    if kind is None:
        refuse_network_file_system(tmp_path / folder, mounts)
    else:
        with pytest.raises(ConfigError, match=rf"\({kind}\)"):
            refuse_network_file_system(tmp_path / folder, mounts)


def test_without_a_table_of_mounts_nothing_is_refused(tmp_path: Path) -> None:
    refuse_network_file_system(tmp_path, tmp_path / "none")


def test_opening_asks_where_the_store_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path) -> None:
        raise ConfigError(f"{folder} is far away")

    monkeypatch.setattr(sys.modules[open_store.__module__], "refuse_network_file_system", refuse)
    with pytest.raises(ConfigError, match="far away"):
        open_store(from_env({}, data=tmp_path / "data"))
    assert list((tmp_path / "data").iterdir()) == []


def test_each_thread_has_a_connection_of_its_own(config: Config) -> None:
    found: list[int] = []

    def look() -> None:
        found.append(id(raw()))
        close()

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found != [id(raw())]
