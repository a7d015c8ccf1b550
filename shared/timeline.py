"""The only way into the events table, and the ways out of it."""

from __future__ import annotations

from collections.abc import Sequence

import peewee

from shared.clock import now, to_micros
from shared.doorbell import Bell, ring
from shared.errors import NotFound
from shared.events import MESSAGE_BYTES, Draft, Kind
from shared.secrets import masking
from shared.store.database import raw
from shared.store.models import Event, Task, json_text

OUTPUT = (Kind.STDOUT, Kind.STDERR)
INSERT = (
    "INSERT INTO event (task, seq, attempt, kind, message, metadata, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)"
)


def append(task_number: int, drafts: Sequence[Draft], attempt_id: str | None = None) -> int:
    """Add `drafts` to a task's timeline inside the caller's transaction; returns the newest `seq`, 0 for no drafts.

    Sequence numbers are gapless because the task's row is updated in the same transaction.
    """
    if not drafts:
        return 0
    drafts = [draft if draft.kind in OUTPUT else _without_secrets(draft) for draft in drafts]
    connection = raw()
    at = to_micros(now())
    row = connection.execute(
        "UPDATE task SET last_seq = last_seq + ?, updated_at = max(updated_at, ?) WHERE number = ? RETURNING last_seq",
        (len(drafts), at, task_number),
    ).fetchone()
    if row is None:
        raise NotFound("Task not found.")
    first = row[0] - len(drafts) + 1
    connection.executemany(
        INSERT,
        [
            (task_number, first + i, attempt_id, draft.kind, _text(draft.message), metadata, at)
            for i, (draft, metadata) in enumerate(zip(drafts, _metadata(drafts), strict=True))
        ],
    )
    ring(Bell.CHANGE)
    return int(row[0])


def _without_secrets(draft: Draft) -> Draft:
    """What an agent printed was redacted by its shim; what is said about it may name a file or an error of its making."""
    about = masking.throughout(draft.metadata, masking.masked)
    return Draft(draft.kind, masking.masked(draft.message), about)


def _text(message: str) -> str:
    """SQLite takes only valid UTF-8, and one event stays within its cap."""
    if len(message) * 4 > MESSAGE_BYTES:
        data = message.encode("utf-8", "replace")
        if len(data) > MESSAGE_BYTES:
            return data[:MESSAGE_BYTES].decode("utf-8", "ignore") + "…"
    return message if message.isascii() else message.encode("utf-8", "replace").decode("utf-8")


def _metadata(drafts: Sequence[Draft]) -> list[str | None]:
    """Each draft's metadata as JSON; lines of output share one object, which is encoded once."""
    encoded: dict[int, str | None] = {id(None): None}
    for draft in drafts:
        if id(draft.metadata) not in encoded:
            encoded[id(draft.metadata)] = json_text(draft.metadata)
    return [encoded[id(draft.metadata)] for draft in drafts]


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
        query = query.where(peewee.fn.instr(peewee.fn.lower(Event.message), peewee.fn.lower(text)) > 0)
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
