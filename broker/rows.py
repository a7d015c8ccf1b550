"""Messages and dead letters as rows: enqueue, claim, acknowledge, give back, bury, prune."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from dramatiq import Message

from broker.connection import QueueFile

MAX_REASON_CHARACTERS = 2000
NAME = "id = ? AND owner = ? AND deliveries = ?"
"""A claim; a stale owner's matches nothing."""


@dataclass(frozen=True)
class Limits:
    """What bounds the queue file. The store's sweep rings again for whatever these drop."""

    max_deliveries: int = 5
    """After so many claims whose owner died, the message is a dead letter."""
    max_dead_letters: int = 1000
    dead_letter_seconds: float = 7 * 86400.0
    max_messages: int = 100_000
    waiting_seconds: float = 86400.0
    """A message nobody takes for so long is a dead letter (a queue whose only worker never came back)."""


@dataclass(frozen=True)
class Claim:
    """One delivery of one message to one owner."""

    id: int
    owner: str
    deliveries: int
    body: bytes

    @property
    def name(self) -> tuple[int, str, int]:
        return self.id, self.owner, self.deliveries


@dataclass(frozen=True)
class Look:
    """What a consumer finds: how many it may claim at once, and when the next delayed message is due."""

    claimable: int
    next_due_at: float | None = None


@dataclass(frozen=True)
class DeadLetter:
    """A message that will not be delivered again, and why."""

    message_id: str
    queue: str
    actor: str
    dead_at: datetime
    reason: str
    body: bytes


class Rows:
    """The queue's statements, each one transaction. All raise dramatiq.errors.ConnectionClosed."""

    def __init__(self, file: QueueFile, limits: Limits) -> None:
        self._file = file
        self._limits = limits

    def insert(self, message: Message, *, due_at: float, priority: int, dedup_key: str | None) -> bool:
        """Whether it was stored: not when a message with the same key still waits in the same queue."""
        row = (
            message.message_id,
            message.queue_name,
            message.actor_name,
            priority,
            time.time(),
            due_at,
            dedup_key,
            message.encode(),
        )
        with self._file.writing() as sql:
            cursor = sql.execute(
                "INSERT INTO message(message_id, queue, actor, priority, enqueued_at, due_at, dedup_key, body)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                row,
            )
            return cursor.rowcount > 0

    def look(self, queue: str, owner: str, prefetch: int) -> Look:
        """Read only, so that an idle consumer never takes the write lock."""
        now = time.time()
        with self._file.reading() as sql:
            held = sql.execute(
                "SELECT count(*) FROM message WHERE owner = ? AND queue = ?", (owner, queue)
            ).fetchone()[0]
            if held >= prefetch:
                return Look(0)
            waiting = "FROM message WHERE owner IS NULL AND queue = ?"
            if sql.execute(f"SELECT 1 {waiting} AND due_at <= ? LIMIT 1", (queue, now)).fetchone():
                return Look(prefetch - held)
            due = sql.execute(f"SELECT min(due_at) {waiting}", (queue,)).fetchone()[0]
            return Look(0, due)

    def claim(self, queue: str, owner: str, count: int) -> list[Claim]:
        """Up to `count` due messages, first by priority, then oldest first.

        The dedup key goes: a ring during the work must be delivered after it, since the actor may already
        have looked.
        """
        with self._file.writing() as sql:
            rows = sql.execute(
                "UPDATE message SET owner = ?, deliveries = deliveries + 1, dedup_key = NULL WHERE id IN"
                " (SELECT id FROM message WHERE owner IS NULL AND queue = ? AND due_at <= ?"
                " ORDER BY priority, id LIMIT ?) RETURNING priority, id, deliveries, body",
                (owner, queue, time.time(), count),
            ).fetchall()
        return [Claim(id, owner, deliveries, body) for _, id, deliveries, body in sorted(rows)]

    def acknowledge(self, claim: Claim) -> bool:
        """Whether the claim still stood."""
        with self._file.writing() as sql:
            return sql.execute(f"DELETE FROM message WHERE {NAME}", claim.name).rowcount > 0  # noqa: S608

    def give_back(self, claims: Iterable[Claim]) -> None:
        """Let them wait again in their old place, as if never delivered."""
        with self._file.writing() as sql:
            sql.executemany(
                f"UPDATE message SET owner = NULL, deliveries = deliveries - 1 WHERE {NAME}",  # noqa: S608
                [claim.name for claim in claims],
            )

    def reject(self, claim: Claim, reason: str) -> bool:
        """Make a dead letter of it; whether the claim still stood."""
        with self._file.writing() as sql:
            return _bury(sql, NAME, claim.name, reason) > 0

    def owners(self) -> list[str]:
        """Who has claimed something."""
        with self._file.reading() as sql:
            found = sql.execute("SELECT DISTINCT owner FROM message WHERE owner IS NOT NULL").fetchall()
        return [owner for (owner,) in found]

    def release(self, owner: str) -> int:
        """Let a dead owner's messages wait again, or bury those delivered too often; how many wait again."""
        often = self._limits.max_deliveries
        reason = f"Delivered {often} times, and each time its worker died before it was done."
        with self._file.writing() as sql:
            _bury(sql, "owner = ? AND deliveries >= ?", (owner, often), reason)
            return sql.execute("UPDATE message SET owner = NULL WHERE owner = ?", (owner,)).rowcount

    def size(self, queue: str) -> int:
        """Messages waiting, delayed or claimed."""
        with self._file.reading() as sql:
            return int(sql.execute("SELECT count(*) FROM message WHERE queue = ?", (queue,)).fetchone()[0])

    def flush(self, queue: str) -> None:
        """Drop its messages and its dead letters."""
        with self._file.writing() as sql:
            sql.execute("DELETE FROM message WHERE queue = ?", (queue,))
            sql.execute("DELETE FROM dead_letter WHERE queue = ?", (queue,))

    def dead_letters(self, queue: str | None, count: int) -> list[DeadLetter]:
        """The latest `count`, newest first, of one queue or of all."""
        with self._file.reading() as sql:
            found = sql.execute(
                "SELECT message_id, queue, actor, dead_at, reason, body FROM dead_letter"
                " WHERE ? IS NULL OR queue = ? ORDER BY id DESC LIMIT ?",
                (queue, queue, count),
            ).fetchall()
        return [
            DeadLetter(message_id, queue, actor, datetime.fromtimestamp(dead_at, UTC), reason, body)
            for message_id, queue, actor, dead_at, reason, body in found
        ]

    def prune(self) -> None:
        """Hold the file to its limits."""
        limits, now = self._limits, time.time()
        stale = "owner IS NULL AND max(enqueued_at, due_at) < ?"
        surplus = "owner IS NULL AND id <= (SELECT id FROM message ORDER BY id DESC LIMIT 1 OFFSET ?)"
        with self._file.reading() as sql:  # nearly always there is nothing to write
            due = sql.execute(
                f"SELECT EXISTS(SELECT 1 FROM message WHERE {stale}) OR"  # noqa: S608
                " (SELECT count(*) FROM message) > ? OR (SELECT count(*) FROM dead_letter) > ? OR"
                " EXISTS(SELECT 1 FROM dead_letter WHERE dead_at < ?)",
                (
                    now - limits.waiting_seconds,
                    limits.max_messages,
                    limits.max_dead_letters,
                    now - limits.dead_letter_seconds,
                ),
            ).fetchone()[0]
        if not due:
            return
        with self._file.writing() as sql:
            oldest = now - limits.waiting_seconds
            _bury(sql, stale, (oldest,), f"Nobody took it within {limits.waiting_seconds:g} seconds.")
            _bury(sql, surplus, (limits.max_messages,), f"More than {limits.max_messages} messages waited.")
            sql.execute("DELETE FROM dead_letter WHERE dead_at < ?", (now - limits.dead_letter_seconds,))
            sql.execute(
                "DELETE FROM dead_letter WHERE id <="
                " (SELECT id FROM dead_letter ORDER BY id DESC LIMIT 1 OFFSET ?)",
                (limits.max_dead_letters,),
            )


def _bury(sql: sqlite3.Connection, which: str, values: Sequence[object], reason: str) -> int:
    buried = sql.execute(
        "INSERT INTO dead_letter(message_id, queue, actor, dead_at, reason, body)"  # noqa: S608
        f" SELECT message_id, queue, actor, ?, ?, body FROM message WHERE {which}",
        (time.time(), reason[:MAX_REASON_CHARACTERS], *values),
    ).rowcount
    sql.execute(f"DELETE FROM message WHERE {which}", values)  # noqa: S608
    return buried
