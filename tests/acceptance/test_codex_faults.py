"""Codex through thick and thin: processes killed at every place, goals of every kind, a model that fails."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from tests.agents.model_server import closed_port, goal
from tests.agents.site import ASK, Site, assert_counted, site

pytestmark = [pytest.mark.agents, pytest.mark.sandbox]


@pytest.fixture(scope="module")
def codex() -> Iterator[Site]:
    with site("codex") as made:
        yield made


@pytest.fixture(params=["live", "oneshot"])
def either(request: pytest.FixtureRequest, codex: Site) -> Site:
    """Codex by its app-server, and by `exec`."""
    return dataclasses.replace(codex, options={"mode": request.param})


# kill -9


def test_a_killed_agent_failed_and_its_thread_is_resumed_by_a_reply(either: Site) -> None:
    gate = f"kill-agent-{either.options['mode']}"
    task_id = either.start({"say": "First.", "run": "true"}, {"say": "Never said.", "gate": gate})
    either.reach(gate)
    either.kill_agent(task_id)
    first = either.ended(task_id, "failed")
    assert either.nothing_runs(task_id)
    assert first["current_attempt"]["signal"] == 9 or first["current_attempt"]["exit_code"] == 137
    either.reply(task_id, goal({"say": "Here again."}))
    second = either.ended(task_id, "completed", attempts=2)
    assert second["runner_session_id"] == first["runner_session_id"]
    assert either.said(task_id) == ["First.", "Here again."]
    assert_counted(either, task_id)


def test_a_killed_shim_leaves_nothing_and_the_thread_is_resumed(either: Site) -> None:
    gate = f"kill-shim-{either.options['mode']}"
    task_id = either.start({"say": "First.", "run": "true"}, {"say": "Never said.", "gate": gate})
    either.reach(gate)
    either.kill_shim(task_id)
    first = either.ended(task_id, "stopped")
    assert first["stop_reason"] == "interrupted"
    assert either.nothing_runs(task_id)
    either.reply(task_id, goal({"say": "Here again."}))
    second = either.ended(task_id, "completed", attempts=2)
    assert second["runner_session_id"] == first["runner_session_id"]
    assert either.said(task_id) == ["First.", "Here again."]
    assert_counted(either, task_id)


def test_a_killed_worker_is_replaced_and_nothing_is_lost(either: Site) -> None:
    gate = f"kill-worker-{either.options['mode']}"
    task_id = either.start({"say": "First.", "run": "true"}, {"say": "Second.", "gate": gate})
    either.reach(gate)
    either.installation.kill(either.installation.workers[-1])
    either.model.open(gate)
    either.installation.start_worker()
    task = either.ended(task_id, "completed")
    assert len(task["attempts"]) == 1
    assert either.said(task_id) == ["First.", "Second."]
    events = either.events(task_id)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert_counted(either, task_id)


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
    def turns(number: int) -> list[dict[str, Any]]:
        used = {"input": 1000 + number, "cached": 10 * number, "output": 50 + number, "reasoning": number}
        return [
            {"write": "mine.txt", "content": f"{number}\n", "usage": used},
            {"say": f"Agent {number}.", "usage": used},
        ]

    tasks = [either.start(*turns(number)) for number in range(6)]
    for number, task_id in enumerate(tasks):
        either.ended(task_id, "ready-for-review")
        assert either.made(task_id, "mine.txt").read_text() == f"{number}\n"
        assert either.said(task_id) == [f"Agent {number}."]
        assert assert_counted(either, task_id).input == 2 * (1000 + number)
    assert len({either.task(task_id)["runner_session_id"] for task_id in tasks}) == 6


# What goes wrong outside


def test_two_failures_are_waited_out(either: Site) -> None:
    task_id = either.start({"status": 500, "error": "a moment", "times": 2, "say": "At last."})
    task = either.ended(task_id, "completed")
    assert either.said(task_id) == ["At last."]
    assert task["current_attempt"]["blocked_reason"] is None
    assert_counted(either, task_id)


@pytest.mark.parametrize(
    ("turn", "reason", "outcome"),
    [
        ({"status": 500, "error": "the model fell over"}, "high demand", "outage"),
        ({"status": 400, "error": "the model cannot read this"}, "the model cannot read this", "failed"),
        ({"status": 429, "error": "slow down"}, "429", "outage"),
        ({"say": "This will be cut off in the middle.", "cut": True}, "stream", "outage"),
    ],
    ids=["500", "400", "429", "cut"],
)
def test_a_model_that_fails_for_ever_fails_the_task_with_the_reason(
    either: Site, turn: dict[str, Any], reason: str, outcome: str
) -> None:
    task_id = either.start(turn)
    task = either.ended(task_id, "failed")
    assert reason in (task["current_attempt"]["summary"] or "")
    assert task["current_attempt"]["outcome"] == outcome
    assert either.nothing_runs(task_id)
    assert_counted(either, task_id)


def test_a_cut_stream_is_asked_for_again(either: Site) -> None:
    task_id = either.start({"say": "This will be cut off in the middle.", "cut": True, "times": 1})
    either.ended(task_id, "completed")
    assert either.said(task_id)[-1] == "This will be cut off in the middle."
    assert_counted(either, task_id)


def test_a_refused_key_is_a_missing_login_that_says_what_to_do(either: Site) -> None:
    task_id = either.start({"status": 401, "error": "invalid key"})
    task = either.ended(task_id, "failed")
    assert "codex login" in (task["current_attempt"]["blocked_reason"] or "")
    assert task["current_attempt"]["outcome"] == "login-missing"
    assert_counted(either, task_id)


@pytest.mark.parametrize("mode", ["live", "oneshot"])
def test_without_a_key_the_login_is_missing(mode: str) -> None:
    with site("codex", CODEX_TEST_KEY=None) as made:
        task_id = made.start({"say": "Never said."}, mode=mode)
        task = made.ended(task_id, "failed")
        assert "CODEX_TEST_KEY" in str(task["current_attempt"]["blocked_reason"])
        assert made.model.account.requests() == []


@pytest.mark.parametrize("mode", ["live", "oneshot"])
def test_a_model_that_cannot_be_reached_is_given_up_after_a_deadline(mode: str) -> None:
    with site("codex", MODEL_ADDRESS=closed_port(), OPENRUNTIME_OUTAGE_SECONDS="3") as made:
        task_id = made.start({"say": "Never said."}, mode=mode)
        task = made.ended(task_id, "failed")
        assert "could not be reached" in (task["current_attempt"]["blocked_reason"] or "")
        assert made.nothing_runs(task_id)
        assert not any(task["cost_ledger"][name] for name in ("input_tokens", "output_tokens", "tool_calls"))
