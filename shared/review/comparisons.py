"""Comparisons of two states, kept so that each is made once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from shared.clock import now
from shared.review.points import Pair
from shared.store.database import raw, transaction
from shared.store.models import Comparison

#: Comparisons of a task that are kept; the oldest go, for they can be made again.
MOST_KEPT = 20
KEPT_BYTES = 32 << 20
DROP = """
DELETE FROM comparison WHERE id IN (
    SELECT id FROM (SELECT id, row_number() OVER newest AS place, sum(length(patch)) OVER newest AS total
                    FROM comparison WHERE task = ? WINDOW newest AS (ORDER BY rowid DESC))
    WHERE place > ? OR (place > 1 AND total > ?))
"""


@dataclass(frozen=True)
class ComparisonRecord:
    """What a worker found, ready to be kept: as a capture's, between the trees `old_oid` and `new_oid`."""

    old_oid: str
    new_oid: str
    stat: str
    files: list[dict[str, Any]]
    patch: bytes
    truncated: bool


def kept(found: Pair) -> Comparison | None:
    """The comparison, if it was made before."""
    row: Comparison | None = Comparison.get_or_none(
        Comparison.task == found.task.number, Comparison.sides == found.sides
    )
    return row


def keep(found: Pair, record: ComparisonRecord) -> Comparison:
    """Keep a comparison; made twice it is one row."""
    with transaction():
        known = kept(found)
        if known is not None:
            return known
        row = Comparison.create(
            id=str(uuid4()), task=found.task.number, sides=found.sides, made_at=now(), **vars(record)
        )
        raw().execute(DROP, (found.task.number, MOST_KEPT, KEPT_BYTES))
        return row
