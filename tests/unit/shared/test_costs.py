"""What attempts cost: whose totals a program reports, sums, what a session file adds, and the budget that stops."""

from __future__ import annotations

from typing import Any

import pytest

from shared import attempts, tasks
from shared.attempts import Ending
from shared.commands import CommandKind
from shared.costs import ledger as costs
from shared.costs.spending import Spending, Use
from shared.errors import NotReady
from shared.events import Category, Draft, Kind
from shared.lifecycle import Status
from shared.store.models import Attempt, Task
from tests.unit.shared.played import Board, commands_of, progress, said

TOKENS = {"input_tokens": 1000, "output_tokens": 100}


def spend(attempt: Attempt, models: dict[str, Use], **fields: Any) -> None:
    more = {name: fields.pop(name) for name in ("at_rest", "session_id") if name in fields}
    attempts.record([progress(attempt, cost=Spending(models, **fields), **more)])


def cost_of(attempt: Attempt) -> dict[str, Any]:
    return attempts.reload(attempt).cost


def ledger(task: Task) -> dict[str, Any]:
    return tasks.get(task.id).ledger


def resumed(board: Board, task: Task) -> Attempt:
    tasks.request_start(task, resume=True)
    claimed = attempts.claim_next("worker-1", 100)
    assert claimed is not None
    return claimed


def end(attempt: Attempt, status: Status = Status.COMPLETED) -> None:
    assert attempts.finish(attempt, Ending(status, runtime_millis=10))


# Whose totals


def test_what_an_earlier_attempt_used_of_a_thread_is_not_counted_again(board: Board) -> None:
    task = board.agent()
    first = board.running(task)
    spend(
        first, {"gpt-5.5": {"input_tokens": 1000, "output_tokens": 50}}, of_thread=True, session_id="thread"
    )
    end(first)
    second = resumed(board, tasks.get(task.id))
    spend(second, {"gpt-5.5": {"input_tokens": 3000, "output_tokens": 80}}, of_thread=True)
    spend(second, {"gpt-5.5": {"input_tokens": 4500, "output_tokens": 90}}, of_thread=True)
    assert (cost_of(second)["input_tokens"], cost_of(second)["output_tokens"]) == (3500, 40)
    assert (ledger(task)["input_tokens"], ledger(task)["output_tokens"]) == (4500, 90)


def test_another_tasks_attempt_on_the_same_thread_counts_as_earlier_too(board: Board) -> None:
    for total in (1000, 1700):
        task = board.agent()
        attempt = resumed(board, task)
        spend(attempt, {"gpt-5.5": {"input_tokens": total}}, of_thread=True)
        end(attempt)
    assert cost_of(attempt)["input_tokens"] == 700


def test_a_fresh_thread_has_no_past_and_a_process_never_has(board: Board) -> None:
    task = board.agent()
    for of_thread in (False, True):
        attempt = board.running(task)
        spend(attempt, {"m": {"input_tokens": 1000}}, of_thread=of_thread, session_id="one")
        end(attempt)
        assert cost_of(attempt)["input_tokens"] == 1000
    again = resumed(board, tasks.get(task.id))
    spend(again, {"m": {"input_tokens": 10}})
    assert cost_of(again)["input_tokens"] == 10
    assert ledger(task)["input_tokens"] == 2010


def test_a_thread_whose_total_shrank_began_to_count_anew(board: Board) -> None:
    task = board.agent()
    first = board.running(task)
    spend(first, {"m": {"input_tokens": 1000, "output_tokens": 9}}, of_thread=True, session_id="thread")
    end(first)
    second = resumed(board, tasks.get(task.id))
    spend(second, {"m": {"input_tokens": 300, "output_tokens": 5}}, of_thread=True)
    assert cost_of(second)["input_tokens"] == 300


def test_a_model_changed_between_two_attempts_of_a_thread_takes_only_what_is_new(board: Board) -> None:
    task = board.agent()
    first = board.running(task)
    spend(first, {"gpt-5.5": TOKENS}, of_thread=True, session_id="thread")
    end(first)
    second = resumed(board, tasks.get(task.id))
    spend(second, {"gpt-6-sol": {"input_tokens": 1600, "output_tokens": 130}}, of_thread=True)
    assert attempts.reload(second).usage["gpt-6-sol"]["input_tokens"] == 600


# Costs


def test_a_providers_own_figure_is_no_estimate(board: Board) -> None:
    attempt = board.running()
    spend(attempt, {"claude-opus-4-8[1m]": {**TOKENS, "cost_micros": 123}}, tool_calls=2)
    assert cost_of(attempt) == {
        "input_tokens": 1000,
        "cached_tokens": 0,
        "output_tokens": 100,
        "tool_calls": 2,
        "cost_micros": 123,
        "estimated": False,
    }
    assert list(attempts.reload(attempt).usage) == ["claude-opus-4-8"]


def test_our_list_prices_what_the_provider_did_not_and_says_so(board: Board) -> None:
    attempt = board.running()
    spend(attempt, {"gpt-5.5": {**TOKENS, "cached_tokens": 400}})
    assert (cost_of(attempt)["cost_micros"], cost_of(attempt)["estimated"]) == (
        600 * 5 + 200 + 100 * 30,
        True,
    )


def test_a_model_without_a_price_costs_nothing_known(board: Board) -> None:
    attempt = board.running()
    spend(attempt, {"house-model": TOKENS})
    assert "cost_micros" not in cost_of(attempt)
    assert cost_of(attempt)["unpriced_tokens"] == 1100
    spend(attempt, {"house-model": TOKENS, "gpt-5.5": {"output_tokens": 10}})
    assert (cost_of(attempt)["cost_micros"], cost_of(attempt)["unpriced_tokens"]) == (300, 1100)


def test_use_beyond_what_was_reported_is_estimated_on_top(board: Board) -> None:
    attempt = board.running()
    reported = {"claude-opus-4-8": {**TOKENS, "cost_micros": 7500}}
    spend(attempt, reported, rest={"claude-opus-4-8": {"input_tokens": 200, "output_tokens": 1}})
    found = cost_of(attempt)
    assert (found["input_tokens"], found["cost_micros"], found["estimated"]) == (1200, 7500 + 1025, True)


def test_plain_counts_of_an_adapter_are_one_unnamed_models(board: Board) -> None:
    attempt = board.running()
    attempts.record([progress(attempt, cost={"input_tokens": 5, "output_tokens": 1, "tool_calls": 3})])
    assert attempts.reload(attempt).usage == {
        "unknown": {"input_tokens": 5, "output_tokens": 1, "unpriced_tokens": 6, "estimated": False}
    }


def test_a_tasks_ledger_is_estimated_as_soon_as_one_attempt_is(board: Board) -> None:
    task = board.new()
    for models in (
        {"m": {**TOKENS, "cost_micros": 1}},
        {"gpt-5.5": TOKENS},
        {"m": {**TOKENS, "cost_micros": 1}},
    ):
        attempt = board.running(task)
        spend(attempt, models)
        end(attempt)
    assert (ledger(task)["cost_micros"], ledger(task)["estimated"], ledger(task)["runtime_millis"]) == (
        8002, True, 30,
    )  # fmt: skip


# What a session file adds


def test_what_a_killed_process_never_reported_is_added_once(board: Board) -> None:
    attempt = board.running()
    spend(attempt, {"claude-opus-4-8": {**TOKENS, "cost_micros": 7500}}, tool_calls=4)
    found = {"claude-opus-4-8": {"input_tokens": 1500, "output_tokens": 140}}
    assert costs.correct(attempt, found, of_thread=False)
    after = cost_of(attempt)
    assert (after["input_tokens"], after["output_tokens"], after["tool_calls"]) == (1500, 140, 4)
    assert (after["cost_micros"], after["estimated"]) == (7500 + 500 * 5 + 40 * 25, True)
    assert ledger(attempt.task)["input_tokens"] == 1500
    assert not costs.correct(attempt, found, of_thread=False)
    assert cost_of(attempt) == after


def test_tool_calls_that_were_never_told_are_counted_from_the_timeline(board: Board) -> None:
    attempt = board.running()
    call = Draft(Kind.STDOUT, "Bash make", {"category": Category.TOOL_CALL})
    attempts.record([progress(attempt, drafts=[call, call, Draft(Kind.STDOUT, "x")])])
    costs.count_tools(attempt)
    assert (cost_of(attempt)["tool_calls"], ledger(attempt.task)["tool_calls"]) == (2, 2)
    spend(attempt, {"m": {**TOKENS, "cost_micros": 1}}, tool_calls=3)
    costs.count_tools(attempt)
    assert (cost_of(attempt)["tool_calls"], cost_of(attempt)["cost_micros"]) == (3, 1)


def test_a_file_that_counts_less_changes_nothing(board: Board) -> None:
    attempt = board.running()
    spend(attempt, {"m": {**TOKENS, "cost_micros": 5}})
    assert not costs.correct(attempt, {"m": {"input_tokens": 10}}, of_thread=False)
    assert cost_of(attempt)["cost_micros"] == 5


def test_a_threads_file_knows_which_model_did_what(board: Board) -> None:
    attempt = board.running()
    spend(attempt, {"gpt-5.5": {"input_tokens": 300}}, of_thread=True)
    found = {"gpt-5.5": {"input_tokens": 100}, "gpt-6-sol": {"input_tokens": 200}}
    assert costs.correct(attempt, found, of_thread=True)
    assert cost_of(attempt)["cost_micros"] == 100 * 5 + 200 * 2


# Budgets


def working(board: Board, cents: int = 50) -> Attempt:
    return board.running(board.agent(policy={"budget_cents": cents}))


def over(micros: int) -> dict[str, Use]:
    return {"m": {**TOKENS, "cost_micros": micros}}


def stops(attempt: Attempt) -> list[str]:
    return [stop.body["reason"] for stop in commands_of(attempt.task, CommandKind.STOP)]


def test_an_agent_over_its_cost_budget_is_stopped_once_and_the_timeline_says_why(board: Board) -> None:
    attempt = working(board)
    spend(attempt, over(499_999))
    assert stops(attempt) == []
    spend(attempt, over(630_000))
    spend(attempt, over(640_000))
    assert stops(attempt) == ["budget-exceeded"]
    texts = [text for _, text in said(attempt.task) if "cost budget" in text]
    assert texts == ["The cost budget of 50 cents is used up: 63 cents spent. The agent is stopped."]


def test_the_budget_is_the_whole_tasks_and_an_estimate_counts(board: Board) -> None:
    attempt = working(board)
    spend(attempt, over(300_000))
    end(attempt, Status.FAILED)
    second = board.running(tasks.get(attempt.task.id))
    spend(second, {"gpt-5.5": {"output_tokens": 7000}})
    assert stops(second) == ["budget-exceeded"]
    assert any("about 51 cents spent" in text for _, text in said(attempt.task))


def test_a_start_over_the_budget_is_refused_with_the_cents(board: Board) -> None:
    attempt = working(board)
    spend(attempt, over(500_000))
    end(attempt, Status.STOPPED)
    with pytest.raises(NotReady) as refused:
        tasks.request_start(tasks.get(attempt.task.id))
    assert "budget of 50 cents is used up: 50 cents spent" in str(refused.value)
    assert tasks.get(attempt.task.id).status is Status.STOPPED


def test_an_agent_that_has_ended_its_turn_may_end_unless_somebody_said_more(board: Board) -> None:
    attempt = working(board)
    spend(attempt, over(900_000), at_rest=True)
    assert stops(attempt) == []
    tasks.request_reply(tasks.get(attempt.task.id), "one more thing", None)
    spend(attempt, over(900_000), at_rest=True)
    assert stops(attempt) == ["budget-exceeded"]


@pytest.mark.parametrize(
    ("minutes", "policy", "said"),
    [
        (15, {}, "The time budget of 15 minutes is used up."),
        (15, {"max_runtime_minutes": 1}, "The time budget of 1 minute is used up."),
        (2, {"max_runtime_minutes": 5, "budget_cents": 100}, "The time budget of 2 minutes is used up."),
        (2, {"budget_cents": 1}, "The cost budget of 1 cent is used up: 3 cents spent."),
    ],
)
def test_a_budget_that_stops_names_itself(
    board: Board, minutes: int, policy: dict[str, Any], said: str
) -> None:
    attempt = board.running(board.agent(policy=policy, budget_minutes=minutes))
    spend(attempt, over(30_000))
    assert costs.used_up(tasks.get(attempt.task.id)) == said


def test_no_budget_and_nothing_spent_stop_nothing(board: Board) -> None:
    free = board.running(board.agent())
    spend(free, over(10**9))
    assert stops(free) == []
    end(free)
    tight = working(board, 0)
    spend(tight, {"m": {}})
    assert stops(tight) == []


@pytest.mark.parametrize(
    ("micros", "text"),
    [(10_000, "1 cent"), (635_000, "64 cents"), (4_000, "0.4 cents"), (9_999, "1 cent"), (1, "0.005 cents")],
)
def test_cents_are_told_as_people_read_them(micros: int, text: str) -> None:
    assert costs.in_cents(micros) == text
