"""Codex through thick and thin: processes killed at every place, goals of every kind, a model that fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.agents import scenarios
from tests.agents.model_server import closed_port
from tests.agents.site import ASK, Site, assert_counted, site

pytestmark = [pytest.mark.agents, pytest.mark.sandbox]
MODES = ("live", "oneshot")


# kill -9


def test_a_killed_agent_failed_and_its_thread_is_resumed_by_a_reply(either: Site) -> None:
    task_id = scenarios.agent_killed(either, f"kill-agent-{either.options['mode']}")
    assert either.said(task_id) == ["First.", "Here again."]


def test_a_killed_shim_leaves_nothing_and_the_thread_is_resumed(either: Site) -> None:
    task_id = scenarios.shim_killed(either, f"kill-shim-{either.options['mode']}")
    assert either.said(task_id) == ["First.", "Here again."]


def test_a_killed_worker_is_replaced_and_nothing_is_lost(either: Site) -> None:
    scenarios.worker_killed(either, f"kill-worker-{either.options['mode']}")


def test_an_approval_outlives_the_worker_and_the_web_process(codex: Site) -> None:
    task_id = codex.start({"run": "echo 1 > one.txt"}, {"say": "Ran."}, policy=ASK)
    codex.asked(task_id)
    web = codex.installation.web
    assert web is not None
    codex.installation.kill(codex.installation.workers[-1])
    codex.installation.kill(web)
    codex.installation.start_web()
    codex.installation.start_worker()
    codex.decide(task_id, codex.asked(task_id), "allow")
    codex.ended(task_id, "ready-for-review")
    assert codex.made(task_id, "one.txt").read_text() == "1\n"
    assert len(codex.approvals(task_id)) == 1
    assert_counted(codex, task_id)


# Goals: what a person writes is what the model reads

GOALS = {
    "a flag": "--help",
    "a short flag": "-rf /",
    "a slash command": "/help",
    "quotes": 'say "it\'s" $HOME `id` \\ \\n %s {}',
    "marks": "!ls @a.txt #memory",
    "unicode": "日本語 — naïve 🙂 \u202eleft",
    "a replacement character": "caf\ufffd",
    "200 KB": "x" * 199_000 + " the end",
}


@pytest.fixture(scope="module")
def goals() -> dict[tuple[str, str], str]:
    """The tasks of all goals, started together by the first that asks."""
    return {}


@pytest.mark.parametrize("name", GOALS)
def test_a_goal_reaches_the_model_as_it_was_written(
    either: Site, goals: dict[tuple[str, str], str], name: str
) -> None:
    mode = either.options["mode"]
    if (mode, name) not in goals:
        goals.update({(mode, each): either.start(prompt=text) for each, text in GOALS.items()})
    task_id = goals[mode, name]
    either.ended(task_id, "completed")
    assert GOALS[name] in [text.strip("\n") for text in either.heard(task_id)]
    assert either.said(task_id) == ["There is no script."]
    assert_counted(either, task_id)


def test_six_agents_at_once_are_each_counted_for_itself(either: Site) -> None:
    scenarios.six_at_once(either, "mine.txt", reasoning=1)


# What goes wrong outside: a program waits before it tries again, so all of them wait together

OUTSIDE: dict[str, dict[str, Any]] = {
    "500": {"status": 500, "error": "the model fell over"},
    "400": {"status": 400, "error": "the model cannot read this"},
    "429": {"status": 429, "error": "slow down"},
    "cut": {"say": "This will be cut off in the middle.", "cut": True},
    "twice": {"status": 500, "error": "a moment", "times": 2, "say": "At last."},
    "cut once": {"say": "This will be cut off in the middle.", "cut": True, "times": 1},
    "401": {"status": 401, "error": "invalid key"},
}


@pytest.fixture(scope="module")
def outside(codex: Site) -> dict[tuple[str, str], str]:
    """Tasks by mode and by what goes wrong."""
    return {(mode, name): codex.start(turn, mode=mode) for mode in MODES for name, turn in OUTSIDE.items()}


@pytest.fixture
def gone_wrong(either: Site, outside: dict[tuple[str, str], str]) -> Callable[[str], str]:
    return lambda name: outside[either.options["mode"], name]


def test_two_failures_are_waited_out(either: Site, gone_wrong: Callable[[str], str]) -> None:
    task_id = gone_wrong("twice")
    task = either.ended(task_id, "completed")
    assert either.said(task_id) == ["At last."]
    assert task["current_attempt"]["blocked_reason"] is None
    assert_counted(either, task_id)


@pytest.mark.parametrize(
    ("name", "reason", "outcome"),
    [
        ("500", "high demand", "outage"),
        ("400", "the model cannot read this", "failed"),
        ("429", "429", "outage"),
        ("cut", "stream", "outage"),
    ],
)
def test_a_model_that_fails_for_ever_fails_the_task_with_the_reason(
    either: Site, gone_wrong: Callable[[str], str], name: str, reason: str, outcome: str
) -> None:
    scenarios.failed(either, gone_wrong(name), reason, outcome)


def test_a_cut_stream_is_asked_for_again(either: Site, gone_wrong: Callable[[str], str]) -> None:
    task_id = gone_wrong("cut once")
    either.ended(task_id, "completed")
    assert either.said(task_id)[-1] == "This will be cut off in the middle."
    assert_counted(either, task_id)


def test_a_refused_key_is_a_missing_login_that_says_what_to_do(
    either: Site, gone_wrong: Callable[[str], str]
) -> None:
    task_id = gone_wrong("401")
    task = either.ended(task_id, "failed")
    assert "codex login" in (task["current_attempt"]["blocked_reason"] or "")
    assert task["current_attempt"]["outcome"] == "login-missing"
    assert_counted(either, task_id)


def both(made: Site) -> dict[str, str]:
    """A task of each mode, started together."""
    return {mode: made.start({"say": "Never said."}, mode=mode) for mode in MODES}


@pytest.fixture(scope="module")
def keyless() -> Iterator[tuple[Site, dict[str, str]]]:
    with site("codex", CODEX_TEST_KEY=None) as made:
        yield made, both(made)


@pytest.fixture(scope="module")
def alone() -> Iterator[tuple[Site, dict[str, str]]]:
    """Where no model answers, and that is waited for as long as three seconds."""
    with site("codex", MODEL_ADDRESS=closed_port(), OPENRUNTIME_OUTAGE_SECONDS="3") as made:
        yield made, both(made)


@pytest.mark.parametrize("mode", MODES)
def test_without_a_key_the_login_is_missing(keyless: tuple[Site, dict[str, str]], mode: str) -> None:
    made, tasks = keyless
    task = made.ended(tasks[mode], "failed")
    assert "CODEX_TEST_KEY" in str(task["current_attempt"]["blocked_reason"])
    assert made.model.account.requests() == []


@pytest.mark.parametrize("mode", MODES)
def test_a_model_that_cannot_be_reached_is_given_up_after_a_deadline(
    alone: tuple[Site, dict[str, str]], mode: str
) -> None:
    made, tasks = alone
    task = made.ended(tasks[mode], "failed")
    assert "could not be reached" in (task["current_attempt"]["blocked_reason"] or "")
    assert made.nothing_runs(tasks[mode])
    assert not any(task["cost_ledger"][name] for name in ("input_tokens", "output_tokens", "tool_calls"))
