"""Sums of what was spent, by everything they can be asked for by."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from shared import attempts
from shared.attempts import Ending
from shared.costs import report
from shared.costs.spending import Spending
from shared.lifecycle import Status
from shared.store.models import Attempt, Task
from tests.unit.shared.played import Board, progress

PRICED = {"input_tokens": 1000, "cached_tokens": 400, "output_tokens": 100, "cost_micros": 9000}


def spent(board: Board, day: int, models: dict[str, Any], task: Task | None = None, **fields: Any) -> Attempt:
    """An ended attempt that began on this day of November 2026."""
    attempt = board.running(task or board.new(**fields))
    attempts.record([progress(attempt, cost=Spending(models, 2))])
    attempts.finish(attempt, Ending(Status.COMPLETED, runtime_millis=1500))
    began = dt.datetime(2026, 11, day, 23, 59, 59, tzinfo=dt.UTC)
    Attempt.update(started_at=began).where(Attempt.id == attempt.id).execute()
    return attempt


def sums(by: str, **asked: Any) -> dict[str, int | None]:
    return {row.key: row.cost_micros for row in report.report(by, **asked).rows}


def test_days_come_newest_first_and_an_attempt_belongs_to_the_day_it_began_on(board: Board) -> None:
    for day in (1, 3, 1):
        spent(board, day, {"m": PRICED})
    found = report.report("day")
    assert [(row.key, row.cost_micros, row.attempts) for row in found.rows] == [
        ("2026-11-03", 9000, 1),
        ("2026-11-01", 18000, 2),
    ]
    total = found.total
    assert (total.input_tokens, total.cached_tokens, total.output_tokens) == (3000, 1200, 300)
    assert (total.tool_calls, total.runtime_millis, total.estimated) == (6, 4500, False)


def test_everything_else_comes_dearest_first_and_without_a_price_last(board: Board) -> None:
    task = board.new(title="Twice")
    spent(board, 1, {"m": PRICED}, task)
    spent(board, 2, {"m": PRICED}, task)
    other = spent(board, 3, {"house": {"input_tokens": 10**6}}, title="No price")
    found = report.report("task").rows
    assert [(row.label, row.cost_micros) for row in found] == [("Twice", 18000), ("No price", None)]
    assert [row.task_id for row in found] == [task.id, other.task.id]
    assert found[1].unpriced_tokens == 10**6
    total = report.report("task").total
    assert (total.cost_micros, total.unpriced_tokens) == (18000, 10**6)


@pytest.mark.parametrize("by", report.KEYS)
def test_every_sum_has_the_same_total(board: Board, by: str) -> None:
    spent(board, 1, {"m": PRICED, "gpt-5.5": {"input_tokens": 10, "output_tokens": 10}})
    spent(board, 2, {"m": PRICED})
    total = report.report(by).total
    assert (total.cost_micros, total.input_tokens, total.output_tokens) == (18350, 2010, 210)
    assert total.estimated


def test_one_attempts_models_are_told_apart(board: Board) -> None:
    spent(board, 1, {"m": PRICED, "gpt-5.5": {"output_tokens": 10}})
    assert sums("model") == {"m": 9000, "gpt-5.5": 300}
    row = report.report("model").rows[0]
    assert (row.tool_calls, row.runtime_millis) == (None, None)


def test_what_was_imported_without_models_is_of_an_unknown_one(board: Board) -> None:
    attempt = spent(board, 1, {})
    old = {"cost_micros": 5, "input_tokens": 7}
    Attempt.update(cost=old, usage={}).where(Attempt.id == attempt.id).execute()
    assert sums("model") == {"unknown": 5}


def test_days_and_workspace_narrow_it(board: Board) -> None:
    here = spent(board, 1, {"m": PRICED}).task.workspace
    spent(board, 2, {"m": PRICED}, workspace="/")
    assert sums("workspace") == {here: 9000, "/": 9000}
    assert sums("workspace", since=dt.date(2026, 11, 2)) == {"/": 9000}
    assert sums("workspace", until=dt.date(2026, 11, 1)) == {here: 9000}
    assert sums("day", workspace="/") == {"2026-11-02": 9000}
    assert sums("day", workspace="/none") == {}
    assert report.workspaces() == ["/", here]


def test_shell_attempts_have_time_but_are_left_out_of_what_was_used(board: Board) -> None:
    attempt = board.running()
    attempts.finish(attempt, Ending(Status.COMPLETED, runtime_millis=1500))
    assert report.report("task").total.runtime_millis == 1500
    assert report.report("task").total.cost_micros == 0
    assert report.report("task", used_only=True).rows == []


def test_a_long_list_is_cut_and_its_total_is_not(board: Board) -> None:
    for day in (1, 2, 3):
        spent(board, day, {"m": PRICED})
    found = report.report("day", limit=2)
    assert (len(found.rows), found.truncated, found.total.cost_micros) == (2, True, 27000)
