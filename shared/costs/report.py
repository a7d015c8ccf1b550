"""Sums of what was spent: per attempt, task, workspace, runner, model or day, of a span of days and a workspace."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from shared.clock import to_micros
from shared.costs.spending import UNKNOWN
from shared.store.database import raw

#: More rows than these are not shown; the total counts them all.
MOST_ROWS = 5000
DAY_MICROS = 86_400_000_000
#: What an attempt is summed by, and what is shown for it. A day is UTC, and an attempt belongs to the one it began on.
KEYS = {
    "day": ("date(a.started_at / 1000000, 'unixepoch')", "NULL", "NULL"),
    "workspace": ("t.workspace", "NULL", "NULL"),
    "task": ("t.id", "t.title", "t.id"),
    "runner": ("a.runner", "NULL", "NULL"),
    "model": ("u.key", "NULL", "NULL"),
    "attempt": ("a.id", "t.title || ', attempt ' || a.attempt_number", "t.id"),
}
#: Of one model only tokens and costs are known; calls of tools and time belong to the attempt.
OF_ATTEMPT = ("a.cost", "sum(json_extract(a.cost, '$.tool_calls'))", "sum(a.runtime_millis)")
OF_MODEL = ("u.value", "NULL", "NULL")
MODELS = f"""JOIN json_each(
    CASE WHEN a.usage = '{{}}' AND a.cost <> '{{}}' THEN json_object('{UNKNOWN}', json(a.cost)) ELSE a.usage END
) u"""
SUMS = """
SELECT {key}, max({label}), max({task}), count(DISTINCT a.id),
       coalesce(sum(json_extract({spent}, '$.input_tokens')), 0), coalesce(sum(json_extract({spent}, '$.cached_tokens')), 0),
       coalesce(sum(json_extract({spent}, '$.output_tokens')), 0), {calls}, {millis},
       sum(json_extract({spent}, '$.cost_micros')), coalesce(max(json_extract({spent}, '$.estimated')), 0),
       coalesce(sum(json_extract({spent}, '$.unpriced_tokens')), 0)
FROM attempt a JOIN task t ON t.number = a.task {models}
WHERE t.deleted_at IS NULL AND a.started_at >= :since AND a.started_at < :until AND (:workspace IS NULL OR t.workspace = :workspace)
  AND (NOT :used OR a.cost <> '{{}}')
GROUP BY 1
ORDER BY {order}
"""


@dataclass(frozen=True)
class Row:
    """One sum. `cost_micros` is None where no price is known; `unpriced_tokens` are in no cost."""

    key: str
    label: str | None
    task_id: str | None
    attempts: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    tool_calls: int | None
    runtime_millis: int | None
    cost_micros: int | None
    estimated: bool
    unpriced_tokens: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Report:
    """Days newest first, everything else dearest first; `total` is of all rows, `truncated` says that some are left out."""

    rows: list[Row]
    total: Row
    truncated: bool


def report(
    by: str,
    *,
    since: dt.date | None = None,
    until: dt.date | None = None,
    workspace: str | None = None,
    used_only: bool = False,
    limit: int = MOST_ROWS,
) -> Report:
    """Sum by one of KEYS what began from the day `since` to the day `until`, both included and UTC."""
    key, label, task = KEYS[by]
    spent, calls, millis = OF_MODEL if by == "model" else OF_ATTEMPT
    text = SUMS.format(
        key=key,
        label=label,
        task=task,
        spent=spent,
        calls=calls,
        millis=millis,
        models=MODELS if by == "model" else "",
        order="1 DESC" if by == "day" else "10 DESC NULLS LAST, 5 DESC, 1",
    )
    given = {
        "since": 0 if since is None else _micros(since),
        "until": 2**62 if until is None else _micros(until) + DAY_MICROS,
        "workspace": workspace,
        "used": used_only,
    }
    found = [_row(values) for values in raw().execute(text, given)]
    return Report(found[:limit], total_of(found), len(found) > limit)


def workspaces() -> list[str]:
    """Every workspace something was spent in."""
    rows = raw().execute(
        "SELECT DISTINCT workspace FROM task WHERE ledger <> '{}' AND deleted_at IS NULL ORDER BY 1 LIMIT 1000"
    )
    return [path for (path,) in rows]


def total_of(rows: Iterable[Row]) -> Row:
    """The sum of sums; a cost is unknown only where none of them knows one."""
    listed = list(rows)
    costs = [row.cost_micros for row in listed if row.cost_micros is not None]

    def added(name: str) -> int:
        return sum(getattr(row, name) or 0 for row in listed)

    return Row(
        key="total",
        label=None,
        task_id=None,
        attempts=added("attempts"),
        input_tokens=added("input_tokens"),
        cached_tokens=added("cached_tokens"),
        output_tokens=added("output_tokens"),
        tool_calls=added("tool_calls"),
        runtime_millis=added("runtime_millis"),
        cost_micros=sum(costs) if costs or not added("unpriced_tokens") else None,
        estimated=any(row.estimated for row in listed),
        unpriced_tokens=added("unpriced_tokens"),
    )


def _row(values: tuple[Any, ...]) -> Row:
    row = Row(*values)
    known = row.cost_micros if row.cost_micros is not None or row.unpriced_tokens else 0
    return Row(**{**asdict(row), "estimated": bool(row.estimated), "cost_micros": known})


def _micros(day: dt.date) -> int:
    return to_micros(dt.datetime.combine(day, dt.time(), dt.UTC))
