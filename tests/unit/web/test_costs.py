"""`GET /costs`, and how tasks and attempts tell what they cost."""

from __future__ import annotations

from typing import Any

import pytest

from shared import attempts
from shared.attempts import Progress
from shared.costs.spending import Spending
from shared.store.models import Attempt
from tests.unit.web.conftest import Api, PlayedWorker

Running = dict[str, Any]
PRICED = {"input_tokens": 1000, "cached_tokens": 400, "output_tokens": 100, "cost_micros": 635_000}


def spend(task: Running, models: dict[str, Any]) -> None:
    (attempt,) = Attempt.select()
    attempts.record([Progress(attempt.id, attempt.task_id, attempt.epoch, 0, cost=Spending(models, 3))])


def test_costs_are_summed_as_asked_for(api: Api, running: Running) -> None:
    spend(running, {"m": PRICED})
    found = api.get("/costs").json
    assert (found["by"], found["total"]["cost_micros"], found["truncated"]) == ("day", 635_000, False)
    assert len(found["rows"]) == 1
    assert found["prices_as_of"] >= "2026"
    row = api.get("/costs?by=task").json["rows"][0]
    assert (row["key"], row["label"], row["tool_calls"]) == (running["id"], "t", 3)
    assert api.get("/costs?by=model").json["rows"][0]["key"] == "m"
    assert api.get("/costs?until=2020-01-01").json["rows"] == []
    assert api.get("/costs?workspace=/none").json["rows"] == []


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("by=colour", 422),
        ("since=yesterday", 422),
        ("until=2026-02-30", 400),
        ("limit=0", 422),
        ("limit=9999", 422),
    ],
)
def test_what_cannot_be_asked_is_refused(api: Api, query: str, status: int) -> None:
    answer = api.get(f"/costs?{query}")
    assert answer.status_code == status
    assert answer.json["detail"]


def test_attempts_and_tasks_have_their_tokens_and_money(api: Api, running: Running) -> None:
    spend(running, {"m": PRICED})
    task = api.get(f"/tasks/{running['id']}").json
    for cost in (task["cost_ledger"], task["attempts"][0]["cost"]):
        assert (cost["input_tokens"], cost["cached_tokens"], cost["output_tokens"]) == (1000, 400, 100)
        assert (cost["tool_calls"], cost["estimated_cents"], cost["cost_micros"]) == (3, 64, 635_000)
        assert cost["estimated"] is False
    assert task["attempts"][0]["usage"]["m"]["cost_micros"] == 635_000


def test_without_a_price_the_cost_is_null_and_not_nothing(api: Api, running: Running) -> None:
    spend(running, {"house": {"input_tokens": 10, "output_tokens": 1}})
    ledger = api.get(f"/tasks/{running['id']}").json["cost_ledger"]
    assert (ledger["cost_micros"], ledger["unpriced_tokens"], ledger["estimated_cents"]) == (None, 11, 0)
    assert api.get("/costs?by=task").json["rows"][0]["cost_micros"] is None


def test_a_start_over_the_budget_is_refused_in_one_sentence(api: Api, worker: PlayedWorker) -> None:
    task = api.new(policy={"budget_cents": 50})
    api.post(f"/tasks/{task['id']}/start")
    spend(task, {"m": PRICED})
    (attempt,) = Attempt.select()
    attempts.finish(attempt, attempts.Ending(attempts.Status.STOPPED))
    answer = api.post(f"/tasks/{task['id']}/start")
    assert answer.status_code == 412
    assert answer.json["detail"].startswith("The cost budget of 50 cents is used up: 64 cents spent;")
