"""Events as JSON text, straight from their rows: the stream's hot path, so nothing is parsed to be written again."""

from __future__ import annotations

import json
from collections.abc import Iterator

from shared.clock import from_micros, rfc3339, to_micros
from shared.events import event_id
from shared.store.database import raw
from shared.store.models import Event, Task

COLUMNS = "seq, attempt, kind, message, metadata, created_at"
BETWEEN = f"SELECT {COLUMNS} FROM event WHERE task = ? AND seq > ? AND seq <= ?"  # noqa: S608
Row = tuple[int, str | None, str, str, str | None, int]
_quoted = json.encoder.encode_basestring


def encode(task_id: str, row: Row) -> str:
    """One event: the reference system's seven fields and `seq`. `metadata` is JSON text already."""
    seq, attempt, kind, message, metadata, created_at = row
    shown = "null" if attempt is None else _quoted(attempt)
    return (
        f'{{"id":"{event_id(task_id, seq)}","task_id":"{task_id}","attempt_id":{shown},'
        f'"kind":"{kind}","message":{_quoted(message)},"metadata":{metadata or "null"},'
        f'"created_at":"{rfc3339(from_micros(created_at))}","seq":{seq}}}'
    )


def encode_model(task_id: str, event: Event) -> str:
    """The same, from a Peewee row."""
    metadata = None if event.metadata is None else json.dumps(event.metadata, ensure_ascii=False)
    at = to_micros(event.created_at)
    return encode(task_id, (event.seq, event.attempt, event.kind, event.message, metadata, at))


def after(task_number: int, task_id: str, seq: int, limit: int) -> list[tuple[int, str]]:
    """(seq, text) of the first `limit` events above `seq`."""
    rows = raw().execute(
        f"SELECT {COLUMNS} FROM event WHERE task = ? AND seq > ? ORDER BY seq LIMIT ?",  # noqa: S608
        (task_number, seq, limit),
    )
    return [(row[0], encode(task_id, row)) for row in rows]


def latest(task: Task, limit: int | None, most_bytes: int) -> tuple[list[str], int]:
    """The newest `limit` events (None: all), ascending, within `most_bytes`; and the characters they take."""
    low = 0 if limit is None else max(0, task.last_seq - limit)
    return _newest(task, BETWEEN, low, most_bytes)


def runner_logs(task: Task, most_bytes: int) -> list[str]:
    """All output, and the lifecycle events about runner and session, ascending; the newest within `most_bytes`."""
    query = (
        f"{BETWEEN} AND (kind IN ('stdout', 'stderr')"
        " OR (kind = 'lifecycle' AND (instr(lower(message), 'runner') OR instr(lower(message), 'session')"
        " OR lower(message) LIKE 'starting %')))"
    )
    return _newest(task, query, 0, most_bytes)[0]


def _newest(task: Task, query: str, low: int, most_bytes: int) -> tuple[list[str], int]:
    texts: list[str] = []
    size = 0
    for text in _descending(task, query, low):
        size += len(text)
        if size > most_bytes:
            size -= len(text)
            break
        texts.append(text)
    texts.reverse()
    return texts, size


def _descending(task: Task, query: str, low: int) -> Iterator[str]:
    rows = raw().execute(f"{query} ORDER BY seq DESC", (task.number, low, task.last_seq))
    try:
        for row in rows:
            yield encode(task.id, row)
    finally:
        rows.close()
