"""What attempts have spent: recorded with a price on it, summed per task, and held against the task's cost budget."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from shared import policy
from shared.clock import now
from shared.costs import spending
from shared.costs.prices import Prices, parse
from shared.costs.spending import Spending, Use, by_model
from shared.errors import ConfigError
from shared.events import Category
from shared.store.database import raw
from shared.store.models import Attempt, Task

PRICES = "prices.toml"
PRICES_BYTES = 256 * 1024
MICROS_PER_CENT = 10_000
#: Attempts before this one that went on with the same session of the same program, whichever task they were of.
EARLIER = """
SELECT usage FROM attempt
WHERE runner_session_id = :session AND runner = :runner
  AND rowid < (SELECT rowid FROM attempt WHERE id = :id)
"""

TOOL_CALLS = """
SELECT count(*) FROM event WHERE task = ? AND attempt = ? AND json_extract(metadata, '$.category') = ?
"""

_own_prices: Prices | None = None


@functools.cache
def _listed() -> Prices:
    return parse(Path(__file__).with_name(PRICES).read_text())


def use_prices(data: Path) -> None:
    """Put `prices.toml` of the data directory, where there is one, before our list; raises ConfigError."""
    global _own_prices
    path = data / PRICES
    try:
        with path.open("rb") as file:
            text = file.read(PRICES_BYTES + 1)
    except FileNotFoundError:
        _own_prices = None
        return
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error
    if len(text) > PRICES_BYTES:
        raise ConfigError(f"{path} is larger than {PRICES_BYTES // 1024} KiB.")
    try:
        _own_prices = parse(text.decode(), str(path)).over(_listed())
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text.") from None


def prices() -> Prices:
    """The person's prices before ours."""
    return _own_prices or _listed()


def record(attempt_id: str, task_number: int, counts: Spending | Mapping[str, int]) -> None:
    """Set what an attempt has spent and sum its task's ledger anew; inside the caller's transaction."""
    spent = spending.of(counts)
    about = Attempt.select(Attempt.runner, Attempt.runner_session_id, Attempt.resume, Attempt.started_at)
    row = about.where(Attempt.id == attempt_id).get()
    models = by_model(spent.models)
    if spent.of_thread and row.resume and row.runner_session_id:
        models = spending.without(models, _earlier(attempt_id, row.runner, row.runner_session_id))
    at = row.started_at or now()
    rest = by_model(spent.rest)
    usage = {
        name: _priced(name, models.get(name, {}), rest.get(name, {}), at)
        for name in dict.fromkeys((*models, *rest))
    }
    keep(attempt_id, usage, spent.tool_calls)
    sum_up(task_number)


def _earlier(attempt_id: str, runner: str, session: str) -> list[Use]:
    given = {"id": attempt_id, "runner": runner, "session": session}
    rows = raw().execute(EARLIER, given).fetchall()
    return [use for (text,) in rows for use in Attempt.usage.python_value(text).values()]


def correct(attempt: Attempt, found: Mapping[str, Use], *, of_thread: bool) -> bool:
    """Add what the agent's own session file counts beyond what it reported; False when that is nothing.

    `found` is this attempt's own use by model. For a total of a thread the file is the better source altogether: it
    knows which model each call went to. The caller holds the claim; inside its transaction.
    """
    stored = Attempt.get_by_id(attempt.id)
    at = stored.started_at or now()
    usage: dict[str, dict[str, Any]] = {} if of_thread else dict(stored.usage)
    for name, use in by_model(found).items():
        if of_thread:
            usage[name] = _priced(name, use, {}, at)
        elif spending.is_used(more := spending.beyond(use, usage.get(name, {}))):
            usage[name] = _joined(usage.get(name, {}), _priced(name, {}, more, at))
    if not usage or usage == stored.usage:
        return False
    keep(attempt.id, usage, int(stored.cost.get("tool_calls", 0)))
    sum_up(stored.task_id)
    return True


def count_tools(attempt: Attempt) -> None:
    """Count the calls of tools in the attempt's timeline: a program that was killed has not told the last ones."""
    stored = Attempt.get_by_id(attempt.id)
    found = raw().execute(TOOL_CALLS, (attempt.task_id, attempt.id, Category.TOOL_CALL)).fetchone()[0]
    if found > int(stored.cost.get("tool_calls", 0)):
        keep(attempt.id, stored.usage, found)
        sum_up(attempt.task_id)


def _priced(model: str, reported: Use, rest: Use, at: datetime) -> dict[str, Any]:
    """One model's row: the provider's figure where it gave one, our list's for the remainder, nothing if neither."""
    row: dict[str, Any] = {
        name: count for name, count in spending.added(reported, rest).items() if name in spending.FIELDS
    }
    parts = [(reported, reported.get("cost_micros")), (rest, None)]
    for use, given in parts:
        if given is None and not spending.is_used(use):
            continue
        cost = prices().cost_micros(model, use, at) if given is None else given
        if cost is None:
            row["unpriced_tokens"] = row.get("unpriced_tokens", 0) + _tokens(use)
        else:
            row["cost_micros"] = row.get("cost_micros", 0) + int(cost)
        row["estimated"] = bool(row.get("estimated")) or (given is None and cost is not None)
    return row


def _joined(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = spending.added(one, other)
    if tokens := one.get("unpriced_tokens", 0) + other.get("unpriced_tokens", 0):
        row["unpriced_tokens"] = tokens
    return row | {"estimated": bool(one.get("estimated") or other.get("estimated"))}


def _tokens(use: Use) -> int:
    return int(use.get("input_tokens", 0)) + int(use.get("output_tokens", 0))


def keep(attempt_id: str, usage: Mapping[str, Mapping[str, Any]], tool_calls: int) -> None:
    """Store an attempt's use by model, and its cost as their sum."""
    rows = usage.values()
    total = spending.summed(rows)
    cost: dict[str, Any] = {
        name: total.get(name, 0) for name in ("input_tokens", "cached_tokens", "output_tokens")
    }
    cost["tool_calls"] = tool_calls
    if "cost_micros" in total:
        cost["cost_micros"] = total["cost_micros"]
        cost["estimated"] = any(row.get("estimated") for row in rows)
    if unpriced := sum(row.get("unpriced_tokens", 0) for row in rows):
        cost["unpriced_tokens"] = unpriced
    Attempt.update(usage={name: dict(row) for name, row in usage.items()}, cost=cost).where(
        Attempt.id == attempt_id
    ).execute()


def sum_up(task_number: int) -> None:
    """A task's ledger is the sum over its attempts."""
    query = Attempt.select(Attempt.cost, Attempt.runtime_millis).where(Attempt.task == task_number)
    rows = [{**row.cost, "runtime_millis": row.runtime_millis} for row in query]
    Task.update(ledger=ledger_of(rows), updated_at=now()).where(Task.number == task_number).execute()


def ledger_of(costs: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The sum of several costs; estimated as soon as one of them is."""
    total: dict[str, Any] = {}
    for cost in costs:
        for key, value in cost.items():
            total[key] = (
                bool(total.get(key)) or value if key == "estimated" else total.get(key, 0) + int(value)
            )
    return total


def over_budget(task: Task) -> str | None:
    """One sentence with the cents when a task's attempts have used up its cost budget; None while they have not."""
    cents = policy.in_force(task).budget_cents
    spent = int(task.ledger.get("cost_micros") or 0)
    if cents is None or spent == 0 or spent < cents * MICROS_PER_CENT:
        return None
    about = "about " if task.ledger.get("estimated") else ""
    return f"The cost budget of {plural(cents)} is used up: {about}{in_cents(spent)} spent."


def used_up(task: Task) -> str:
    """Which budget a task that was stopped for one has used up: its cost's, else its time's, the smaller of the two."""
    limits = (task.budget_minutes, policy.in_force(task).max_runtime_minutes)
    minutes = min(filter(None, limits))
    return (
        over_budget(task)
        or f"The time budget of {minutes} {'minute' if minutes == 1 else 'minutes'} is used up."
    )


def in_cents(micros: int) -> str:
    """`63 cents`, rounded half up; `0.4 cents` below one."""
    cents: float = (micros + MICROS_PER_CENT // 2) // MICROS_PER_CENT
    if 0 < micros < MICROS_PER_CENT:
        cents = float(f"{max(micros, 50) / MICROS_PER_CENT:.2g}")
    return plural(cents)


def plural(cents: float) -> str:
    return "1 cent" if cents == 1 else f"{cents:g} cents"
