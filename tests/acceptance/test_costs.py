"""What the real programs used, to the token: the model server's own account is the measure, whatever was killed."""

from __future__ import annotations

import pytest

from tests.agents.model_server import goal
from tests.agents.site import OPEN, Site, assert_counted, site

pytestmark = [pytest.mark.agents, pytest.mark.sandbox]


def reply(made: Site, task_id: str, *turns: dict[str, object]) -> None:
    answer = made.installation.post(f"/tasks/{task_id}/reply", {"message": goal(*turns)})
    assert answer.status in (200, 202), answer.body


@pytest.mark.parametrize("mode", ["live", "oneshot"])
def test_a_codex_thread_that_is_killed_and_resumed_is_counted_to_the_token(mode: str) -> None:
    with site("codex") as made:
        task_id = made.start({"say": "One.", "run": "true"}, {"say": "Two."}, mode=mode, model="gpt-5.5")
        made.ended(task_id)
        assert_counted(made, task_id)
        reply(made, task_id, {"say": "Three.", "run": "true"}, {"say": "Never said.", "gate": "kill"})
        made.reach("kill")
        made.kill_agent(task_id)
        made.ended(task_id, "failed", attempts=2)
        assert_counted(made, task_id)
        reply(made, task_id, {"say": "Four."})
        task = made.ended(task_id, attempts=3)
        assert_counted(made, task_id)
        assert [list(attempt["usage"]) for attempt in task["attempts"]] == [["gpt-5.5"]] * 3
        assert task["cost_ledger"]["estimated"]


def test_claude_is_stopped_in_mid_turn_when_its_cost_budget_is_used_up() -> None:
    with site("claude-code") as made:
        turns = ({"run": "true", "usage": {"input": 200_000}}, {"say": "Never said.", "gate": "over"})
        task_id = made.start(*turns, policy={**OPEN, "budget_cents": 50})
        task = made.ended(task_id, "stopped")
        assert task["stop_reason"] == "budget-exceeded"
        assert "100 cents spent" in task["current_attempt"]["blocked_reason"]
        assert_counted(made, task_id)
        assert made.installation.post(f"/tasks/{task_id}/start").status == 412
