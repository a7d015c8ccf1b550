"""The only way into the events table, and the ways out of it."""

from __future__ import annotations

import json
from collections.abc import Sequence

import peewee

from shared.clock import now, to_micros
from shared.doorbell import Bell, ring
from shared.events import MESSAGE_BYTES, Draft
from shared.store.database import raw
from shared.store.models import Event, Task

INSERT = (
    "INSERT INTO event (task, seq, attempt, kind, message, metadata, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
#: Plain output lines carry one of a handful of metadata objects: encoding each again costs more than the insert.
_encoded: dict[int, tuple[object, str]] = {}
ENCODED_LIMIT = 256


def append(task_number: int, drafts: Sequence[Draft], attempt_id: str | None = None) -> int:
    """Add `drafts` to a task's timeline inside the caller's transaction; returns the newest `seq`.

    Sequence numbers are gapless because the task's row is updated in the same transaction.
    """
    if not drafts:
        return 0
    connection = raw()
    at = to_micros(now())
    row = connection.execute(
        "UPDATE task SET last_seq = last_seq + ?, updated_at = max(updated_at, ?) WHERE number = ? RETURNING last_seq",
        (len(drafts), at, task_number),
    ).fetchone()
    first = row[0] - len(drafts) + 1
    connection.executemany(
        INSERT,
        [
            (task_number, first + i, attempt_id, draft.kind, _text(draft.message), _json(draft.metadata), at)
            for i, draft in enumerate(drafts)
        ],
    )
    ring(Bell.CHANGE)
    return int(row[0])


def _text(message: str) -> str:
    """SQLite takes only valid UTF-8, and one event stays within its cap."""
    if len(message) * 4 > MESSAGE_BYTES:
        data = message.encode("utf-8", "replace")
        if len(data) > MESSAGE_BYTES:
            return data[:MESSAGE_BYTES].decode("utf-8", "ignore") + "…"
    return message if message.isascii() else message.encode("utf-8", "replace").decode("utf-8")


def _json(metadata: object) -> str | None:
    if metadata is None:
        return None
    known = _encoded.get(id(metadata))
    if known and known[0] is metadata:
        return known[1]
    if len(_encoded) >= ENCODED_LIMIT:
        _encoded.clear()
    text = json.dumps(metadata, ensure_ascii=False, separators=(",", ":"))
    _encoded[id(metadata)] = (metadata, text)
    return text


def page(
    task: Task,
    *,
    after: int = 0,
    before: int | None = None,
    limit: int = 500,
    kind: str | None = None,
    category: str | None = None,
    text: str | None = None,
) -> list[Event]:
    """Events of a task, ascending by seq: the first `limit` above `after`, or the last `limit` below `before`."""
    query = Event.select().where(Event.task == task.number, Event.seq > after)
    if before is not None:
        query = query.where(Event.seq < before)
    if kind:
        query = query.where(Event.kind == kind)
    if category:
        query = query.where(peewee.fn.json_extract(Event.metadata, "$.category") == category)
    if text:
        query = query.where(peewee.fn.instr(peewee.fn.lower(Event.message), text.lower()) > 0)
    if before is None:
        return list(query.order_by(Event.seq).limit(limit))
    return list(reversed(query.order_by(Event.seq.desc()).limit(limit)))


def latest(task: Task, limit: int) -> list[Event]:
    """The newest `limit` events, ascending."""
    return page(task, before=task.last_seq + 1, limit=limit)


def since(position: int, limit: int = 2000) -> list[Event]:
    """Events of all tasks stored after `position` (the table's own order), for the hub's tailer."""
    return list(Event.select().where(Event.position > position).order_by(Event.position).limit(limit))


def newest_position() -> int:
    """The position of the newest event of any task."""
    return int(Event.select(peewee.fn.coalesce(peewee.fn.max(Event.position), 0)).scalar())
