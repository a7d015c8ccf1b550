"""Claude Code through thick and thin: processes killed at every place, goals of every kind, a model that fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.agents import programs, scenarios
from tests.agents.model_server import closed_port
from tests.agents.site import ASK, Site, assert_counted, site

pytestmark = [pytest.mark.agents, pytest.mark.sandbox]


@pytest.fixture(scope="module")
def claude() -> Iterator[Site]:
    """Three tries and not eleven, so that a model that is down fails within seconds."""
    with site("claude-code", CLAUDE_CODE_MAX_RETRIES="2") as made:
        yield made


# kill -9


def test_a_killed_agent_failed_and_its_session_is_resumed_by_a_reply(claude: Site) -> None:
    task_id = scenarios.agent_killed(claude, "kill-agent")
    assert "First." in str(claude.model.account.requests(claude.sessions(task_id)[0])[-1].body)


def test_a_killed_shim_leaves_nothing_and_the_session_is_resumed(claude: Site) -> None:
    assert claude.said(scenarios.shim_killed(claude, "kill-shim")) == ["First.", "Here again."]


def test_a_killed_worker_is_replaced_and_nothing_is_lost(claude: Site) -> None:
    scenarios.worker_killed(claude, "kill-worker")


def test_a_killed_web_process_stops_no_agent_and_its_question_is_still_there(claude: Site) -> None:
    task_id = claude.start({"run": "echo 1 > one.txt"}, {"say": "Ran."}, policy=ASK)
    claude.asked(task_id)
    web = claude.installation.web
    assert web is not None
    claude.installation.kill(web)
    claude.installation.start_web()
    claude.decide(task_id, claude.asked(task_id), "allow")
    claude.ended(task_id, "ready-for-review")
    assert len(claude.approvals(task_id)) == 1
    assert_counted(claude, task_id)


# Goals: what a person writes is what the model reads

GOALS = {
    "a flag": "--help",
    "a short flag": "-rf /",
    "a slash command": "/help",
    "a slash with words": "/usr/bin is a folder\nsecond line",
    "quotes": 'say "it\'s" $HOME `id` \\ \\n %s {}',
    "marks": "!ls @a.txt #memory",
    "unicode": "日本語 — naïve 🙂 \u202eleft",
    "a replacement character": "caf\ufffd",
    "200 KB": "x" * 199_000 + " the end",
}


@pytest.fixture(scope="module")
def goals() -> dict[str, str]:
    """The tasks of all goals, started together by the first that asks."""
    return {}


@pytest.mark.parametrize("name", GOALS)
def test_a_goal_reaches_the_model_as_it_was_written(claude: Site, goals: dict[str, str], name: str) -> None:
    if not goals:
        goals.update({each: claude.start(prompt=text) for each, text in GOALS.items()})
    claude.ended(goals[name], "completed")
    assert GOALS[name] in [text.strip("\n") for text in claude.heard(goals[name])]
    assert claude.said(goals[name]) == ["There is no script."]
    assert_counted(claude, goals[name])


def test_a_goal_that_is_not_text_is_refused_and_leaves_no_task(claude: Site) -> None:
    body = b'{"title": "t", "prompt": "\xff\xfe", "runner": "claude-code"}'
    before = len(claude.installation.get("/tasks").body)
    assert claude.installation.post("/tasks", body).status == 400
    assert len(claude.installation.get("/tasks").body) == before


def test_six_agents_at_once_are_each_counted_for_itself(claude: Site) -> None:
    scenarios.six_at_once(claude, "$CWD/mine.txt")


# What goes wrong outside: a program waits long before it tries again, so all of them wait together

OUTSIDE: dict[str, dict[str, Any]] = {
    "500": {"status": 500, "error": "the model fell over"},
    "400": {"status": 400, "error": "the model cannot read this"},
    "429": {"status": 429, "error": "slow down"},
    "haste": {"status": 429, "error": "slow down", "times": 2, "say": "At last."},
    "cut": {"say": "This will be cut off in the middle of its way.", "cut": True, "times": 1},
    "refusal": {"refuse": "I will not do that."},
    "401": {"status": 401, "error": "invalid x-api-key"},
}


@pytest.fixture(scope="module")
def outside(claude: Site) -> dict[str, str]:
    return {name: claude.start(turn) for name, turn in OUTSIDE.items()}


def test_two_refusals_for_haste_are_waited_out(claude: Site, outside: dict[str, str]) -> None:
    task_id = outside["haste"]
    task = claude.ended(task_id, "completed")
    assert claude.said(task_id) == ["At last."]
    assert any("429" in event["message"] for event in claude.events(task_id)), "the retries are seen"
    assert task["current_attempt"]["blocked_reason"] is None
    assert_counted(claude, task_id)


@pytest.mark.parametrize(
    ("name", "reason", "outcome"),
    [
        ("500", "500", "outage"),
        ("400", "the model cannot read this", "failed"),
        ("429", "429", "outage"),
    ],
)
def test_a_model_that_fails_for_ever_fails_the_task_with_the_reason(
    claude: Site, outside: dict[str, str], name: str, reason: str, outcome: str
) -> None:
    scenarios.failed(claude, outside[name], reason, outcome)


def test_a_cut_stream_is_asked_for_again(claude: Site, outside: dict[str, str]) -> None:
    task_id = outside["cut"]
    claude.ended(task_id, "completed")
    assert claude.said(task_id)[-1] == "This will be cut off in the middle of its way."
    assert_counted(claude, task_id)


def test_a_model_that_refuses_is_seen_to_refuse(claude: Site, outside: dict[str, str]) -> None:
    task_id = outside["refusal"]
    claude.ended(task_id)
    assert "I will not do that." in "\n".join(event["message"] for event in claude.events(task_id))
    assert_counted(claude, task_id)


def test_a_refused_key_is_a_missing_login_that_says_what_to_do(claude: Site, outside: dict[str, str]) -> None:
    task_id = outside["401"]
    task = claude.ended(task_id, "failed")
    assert "claude" in (task["current_attempt"]["blocked_reason"] or "").lower()
    assert task["current_attempt"]["outcome"] == "login-missing"
    assert_counted(claude, task_id)


# The worker's own settings are wrong: behind the others, since the installation keeps them


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(None, id="unset"),
        pytest.param("", id="empty"),
    ],
)
def test_without_a_key_the_login_is_missing(claude: Site, key: str | None) -> None:
    claude.replace_worker(ANTHROPIC_API_KEY=key)
    before = len(claude.model.account.requests())
    task = claude.ended(claude.start({"say": "Never said."}), "failed")
    assert "login" in task["current_attempt"]["blocked_reason"].lower()
    assert len(claude.model.account.requests()) == before


def test_a_model_that_cannot_be_reached_fails_the_task_with_the_reason(claude: Site) -> None:
    claude.replace_worker(
        ANTHROPIC_API_KEY=programs.DUMMY_KEY, ANTHROPIC_BASE_URL=closed_port(), CLAUDE_CODE_MAX_RETRIES="1"
    )
    task = claude.ended(claude.start({"say": "Never said."}), "failed")
    assert "connect" in (task["current_attempt"]["blocked_reason"] or "").lower()
    assert not any(task["cost_ledger"][name] for name in ("input_tokens", "output_tokens", "tool_calls"))
