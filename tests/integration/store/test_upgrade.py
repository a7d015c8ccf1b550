"""An upgrade is one transaction: killed anywhere, begun twice, the next start finds a whole store."""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from shared.config import Config
from shared.errors import SchemaRefused
from shared.store import migrate
from shared.store.database import open_store
from shared.store.models import Event, Task
from tests.integration.store.conftest import Start
from tests.integration.store.reference import Reference, id_of

EVENTS = 3000


@pytest.fixture
def reference(config: Config) -> Path:
    config.data.mkdir()
    old = Reference(config.database)
    task = old.task(1)
    with closing(sqlite3.connect(config.database)) as db, db:
        db.executemany(
            "INSERT INTO events (id, task_id, kind, message, created_at) VALUES (?, ?, 'stdout', ?, ?)",
            [
                (id_of(1000 + n), task, "x" * 1000, f"2026-01-01T00:00:00.{n:09d}+00:00")
                for n in range(EVENTS)
            ],
        )
    return config.database


def tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as db:
        return {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


PLACES = ["after the backup", "in the middle of the copy", "before the commit"]


@pytest.mark.parametrize("place", PLACES)
def test_an_upgrade_killed_anywhere_is_completed_by_the_next_start(
    config: Config, reference: Path, start: Start, place: str
) -> None:
    (config.data / "go").touch()
    killed = start("upgrade", place)
    assert killed.wait(timeout=30) == -signal.SIGKILL
    (backup,) = config.data.glob("*.backup")
    open_store(config)
    assert [row.id for row in Task.select()] == [id_of(1)]
    assert [event.seq for event in Event.select().order_by(Event.position)] == list(range(1, EVENTS + 1))
    assert "tasks" not in tables(config.database)
    assert "tasks" in tables(backup)


def test_processes_that_start_together_upgrade_once(config: Config, reference: Path, start: Start) -> None:
    running = [start("upgrade", "nowhere") for _ in range(4)]
    for one in running:
        assert one.stdout
        assert one.stdout.readline() == "ready\n"
    (config.data / "go").touch()
    assert [one.wait(timeout=60) for one in running] == [0, 0, 0, 0]
    assert len(list(config.data.glob("*.backup"))) == 1
    open_store(config)
    assert Event.select().count() == EVENTS


def test_a_database_the_old_system_still_writes_to_is_left_alone(
    config: Config, reference: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect
    monkeypatch.setattr(
        migrate.sqlite3, "connect", lambda *args, **options: connect(*args, **{**options, "timeout": 0})
    )
    with closing(connect(reference, isolation_level=None)) as old:
        old.execute("BEGIN IMMEDIATE")
        with pytest.raises(SchemaRefused, match="locked"):
            open_store(config)
        old.execute("ROLLBACK")
    assert "tasks" in tables(reference)
    open_store(config)
    assert Event.select().count() == EVENTS
