"""Rules against the real program: granted for a task but never over a deny, and a request nobody answers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.agents import scenarios
from tests.agents.site import ASK, Site, site

pytestmark = [pytest.mark.agents, pytest.mark.sandbox]

ASKS = {"tool": "*", "action": "ask"}
DENIES = {"tool": "Bash", "pattern": "git status --short", "action": "deny", "reason": "not the short one"}


@pytest.fixture(scope="module")
def claude() -> Iterator[Site]:
    with site("claude-code") as made:
        yield made


def test_a_rule_granted_for_the_task_decides_what_follows_and_weakens_no_deny(claude: Site) -> None:
    lines = ("git status", "git status --branch", "git status --short")
    turns = [*({"run": line} for line in lines), {"say": "Done."}]
    task_id = claude.start(*turns, policy={**ASK, "tool_rules": [DENIES, ASKS]})
    claude.decide(task_id, claude.asked(task_id), "allow", scope="task")
    claude.ended(task_id)
    rows = claude.approvals(task_id)
    assert [(row["status"], row["decided_by"], row["rule"]) for row in rows] == [
        ("allowed", "owner", None),
        ("allowed", "policy", "granted for this task: allow Bash `git status*`"),
        ("denied", "policy", "task rule 1: deny Bash `git status --short` — not the short one"),
    ]
    assert len(claude.events(task_id, "needs-input")) == 1, "the second was never a question to a person"
    assert "not the short one" in claude.results(task_id)


def test_a_request_nobody_answers_is_denied_and_its_turn_interrupted(claude: Site) -> None:
    scenarios.expires(claude)
