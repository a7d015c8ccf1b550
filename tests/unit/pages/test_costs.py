"""The page of costs, and what the task page says of them."""

from __future__ import annotations

from typing import Any

import pytest

from shared import attempts
from shared.attempts import Progress
from shared.costs.spending import Spending
from shared.store.models import Attempt, Task
from tests.unit.pages.conftest import Visitor
from tests.unit.web.conftest import Api, PlayedWorker, running
from web.pages.costs import GROUPS, tokens

__all__ = ["running"]
PRICED = {"input_tokens": 182_400, "cached_tokens": 90_000, "output_tokens": 9_120, "cost_micros": 840_000}


def spend(models: dict[str, Any]) -> None:
    (attempt,) = Attempt.select()
    attempts.record([Progress(attempt.id, attempt.task_id, attempt.epoch, 0, cost=Spending(models, 3))])


def test_nothing_used_says_so(visitor: Visitor, api: Api) -> None:
    assert "No agent has reported any use here." in visitor.get("/ui/costs").text


@pytest.mark.parametrize("by", GROUPS)
def test_every_sum_has_its_table_without_a_script(visitor: Visitor, running: dict[str, Any], by: str) -> None:
    spend({"claude-opus-4-8": PRICED})
    page = visitor.get(f"/ui/costs?by={by}").text
    assert "$0.84" in page
    assert "182.4k" in page
    assert "~$" not in page
    assert "style=" not in page.partition("<main")[2].partition("</main>")[0]


def test_estimates_and_missing_prices_are_marked(visitor: Visitor, running: dict[str, Any]) -> None:
    spend({"gpt-5.5": {"output_tokens": 100_000}, "house": {"input_tokens": 77}})
    page = visitor.get("/ui/costs?by=model").text
    assert "~$3.00" in page
    assert "no price" in page
    assert "list prices of 20" in page
    assert "77 tokens are of models without a known price" in page
    assert "~$3.00+" in visitor.get("/ui/costs").text


def test_a_task_and_a_workspace_lead_on(visitor: Visitor, running: dict[str, Any]) -> None:
    spend({"m": PRICED})
    assert f'href="/ui/tasks/{running["id"]}"' in visitor.get("/ui/costs?by=task").text
    page = visitor.get("/ui/costs?by=workspace").text
    assert 'href="/ui/costs?by=task&amp;workspace=' in page


def test_whatever_the_address_says_there_is_a_page(visitor: Visitor, running: dict[str, Any]) -> None:
    spend({"m": PRICED})
    assert visitor.get("/ui/costs?by=x&period=-1&workspace=%00<b>").status_code == 200
    Task.update(title="<script>\u202e").execute()
    page = visitor.get("/ui/costs?by=task").text
    assert "<script>\u202e" not in page


def test_the_attempts_of_a_task_show_tokens_and_money(visitor: Visitor, running: dict[str, Any]) -> None:
    spend({"claude-opus-4-8": PRICED})
    page = visitor.get(f"/ui/tasks/{running['id']}/attempts").text
    assert "$0.84" in page
    assert "182.4k in" in page
    assert "claude-opus-4-8" in page


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0"), (9_999, "9,999"), (12_345, "12.3k"), (4_560_000, "4.56M")]
)
def test_counts_are_short(count: int, text: str) -> None:
    assert tokens(count) == text


def test_which_budget_stopped_it_is_on_the_board(visitor: Visitor, api: Api, worker: PlayedWorker) -> None:
    task = api.new()
    api.post(f"/tasks/{task['id']}/start")
    (attempt,) = Attempt.select()
    said = "The cost budget of 50 cents is used up: 64 cents spent."
    ending = attempts.Ending(attempts.Status.STOPPED, stop_reason="budget-exceeded", blocked_reason=said)
    attempts.finish(attempt, ending)
    assert said in visitor.get("/").text
    assert said in visitor.get(f"/ui/tasks/{task['id']}/attempts").text
