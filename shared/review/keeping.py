"""Which captures of a task are kept, and which keep their patch: a long task must not fill the store."""

from __future__ import annotations

from typing import Any

from shared.store.database import raw
from shared.store.models import INSERTED, Capture, Landing, Task, Turn

#: Captures that nothing refers to: so many of the newest stay, for pages that show one of them.
KEPT_BESIDE = 5
#: All patches of a task together; without its patch a capture can still be compared with others.
PATCH_BYTES = 64 << 20
DROP_PATCHES = """
UPDATE capture SET patch = x'', patch_dropped = 1 WHERE NOT patch_dropped AND id IN (
    SELECT id FROM (SELECT id, row_number() OVER newest AS place, sum(length(patch)) OVER newest AS total
                    FROM capture WHERE task = ? WINDOW newest AS (ORDER BY rowid DESC))
    WHERE place > 1 AND total > ?)
"""


def prune(task: Task) -> None:
    """Delete what newer captures replace, inside the caller's transaction; the oldest others lose their patch.

    Captures that turns and landings refer to stay, and the latest.
    """
    kept = referred_to(task)
    rows = Capture.select(Capture.id).where(Capture.task == task.number).order_by(INSERTED.desc())
    others = [row.id for row in rows if row.id not in kept]
    if len(others) > KEPT_BESIDE:
        Capture.delete().where(Capture.id.in_(others[KEPT_BESIDE:])).execute()
    raw().execute(DROP_PATCHES, (task.number, PATCH_BYTES))


def referred_to(task: Task) -> set[str]:
    """The ids of the captures that turns and landings of the task began from or ended with."""
    found: set[str] = set()
    for table, fields in _REFERENCES:
        for row in table.select(*fields).where(table.task == task.number).tuples():
            found.update(id for id in row if id is not None)
    return found


_REFERENCES: tuple[tuple[Any, tuple[Any, ...]], ...] = (
    (Turn, (Turn.began_from, Turn.ended_with)),
    (Landing, (Landing.capture,)),
)


def heads(task: Task) -> list[str]:
    """The commits of all captures of the task that are kept, oldest first."""
    rows = Capture.select(Capture.head_oid).where(Capture.task == task.number).order_by(INSERTED)
    return list(dict.fromkeys(row.head_oid for row in rows))
