"""Lines stored per second while eight shell agents write flat out, beside a bare SQLite writer in the same run."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from pathlib import Path

from bench.places import END_SECONDS, installation, repository
from bench.samples import Row, median, row, until
from tests.installation import ENDED, Installation

AGENTS = 8
LINES = 40_000
ROUNDS = 3
RAW_LINES = 30_000
RAW_BATCH = 20
BAR_RATE, BAR_RATIO = 20_000, 0.35
FORMAT = "line %.0f of what a build says while it compiles"


def measure(rounds: int = ROUNDS, lines: int = LINES) -> list[Row]:
    """Medians of several rounds, the yardstick after each: one writer, batches of 20, synchronous=FULL, our table."""
    ours, raw = [], []
    with installation(OPENRUNTIME_MAX_ATTEMPTS=str(AGENTS)) as (running, folder):
        repository(folder / "repo")
        for number in range(rounds):
            ours.append(ingested(running, folder / "repo", f"seq -f '{FORMAT}' {lines}", lines))
            raw.append(bare(running.data / "openruntime.sqlite3", folder / f"raw-{number}.sqlite3"))
    value, yardstick = median(ours), median(raw)
    ok = value >= BAR_RATE and value / yardstick >= BAR_RATIO
    bar = f">= {BAR_RATE} lines/s, >= {BAR_RATIO} x"
    return [row("ingest", value, "lines/s", yardstick=yardstick, bar=bar, ok=ok)]


def ingested(running: Installation, place: Path, command: str, lines: int) -> float:
    """Lines per second from the first stored to the last; each line must be there."""
    ids = [running.run(command, place, policy={}) for _ in range(AGENTS)]

    def ended() -> bool:
        return all(running.get(f"/tasks/{id}?events=0").body["status"] in ENDED for id in ids)

    until(ended, 2 * END_SECONDS, every=0.2, what="the agents to end")
    marks = ",".join("?" for _ in ids)
    words = (
        "SELECT count(*), min(created_at), max(created_at) FROM event"
        f" WHERE kind = 'stdout' AND task IN (SELECT number FROM task WHERE id IN ({marks}))"
    )
    with contextlib.closing(sqlite3.connect(running.data / "openruntime.sqlite3")) as store:
        stored, first, last = store.execute(words, ids).fetchone()
    if stored != AGENTS * lines:
        raise AssertionError(f"{stored} lines of {AGENTS * lines} are stored")
    return float(stored / ((last - first) / 1e6))


def bare(store: Path, place: Path) -> float:
    """Lines per second of one writer that does nothing else, into a table and indexes like ours."""
    with contextlib.closing(sqlite3.connect(store)) as ours:
        schema = [
            sql for (sql,) in ours.execute("SELECT sql FROM sqlite_master WHERE tbl_name = 'event'") if sql
        ]
        example = ours.execute("SELECT * FROM event WHERE kind = 'stdout' LIMIT 1").fetchone()
        names = [found[1] for found in ours.execute("PRAGMA table_info(event)")]
    values = dict(zip(names, example, strict=True))
    columns = [name for name in names if name != "position"]
    insert = f"INSERT INTO event ({', '.join(columns)}) VALUES ({', '.join(':' + name for name in columns)})"
    with contextlib.closing(sqlite3.connect(place, isolation_level=None)) as target:
        target.execute("PRAGMA journal_mode = WAL")
        target.execute("PRAGMA synchronous = FULL")
        for sql in schema:
            target.execute(sql)
        before = time.monotonic()
        for first in range(0, RAW_LINES, RAW_BATCH):
            target.execute("BEGIN IMMEDIATE")
            batch = [
                {**values, "seq": number, "message": FORMAT % number}
                for number in range(first, first + RAW_BATCH)
            ]
            target.executemany(insert, batch)
            target.execute("COMMIT")
        return RAW_LINES / (time.monotonic() - before)


if __name__ == "__main__":
    for result in measure():
        print(result)
