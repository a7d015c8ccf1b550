"""Money through the whole installation: a budget that stops, a refused start, a killed agent that is still counted."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.installation import OPEN, Installation, installed
from tests.waiting import wait_until

PROGRAM = Path(__file__).with_name("costs_claude.py")
FULL = {**OPEN, "workspace_access": "full"}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("costs")
    program = folder / "bin/claude"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P "{PROGRAM}" "$@"\n')
    program.chmod(0o755)
    path = f"{program.parent}:{os.environ['PATH']}"
    with installed(folder, PATH=path, CLAUDE_CONFIG_DIR=str(folder / "claude")) as found:
        wait_until(lambda: is_found(found), 20, what="the worker to find the stand-in")
        yield found


def is_found(here: Installation) -> bool:
    return any(state["runner"] == "claude-code" and state["available"] for state in here.get("/runners").body)


def run(here: Installation, goal: str, workspace: Path, **policy: Any) -> dict[str, Any]:
    """A task of the stand-in once it has ended."""
    given = {"runner": "claude-code", "prompt": goal, "policy": {**FULL, **policy}}
    task = here.create("", workspace, **given)
    answer = here.post(f"/tasks/{task['id']}/start")
    assert answer.status in (200, 202), answer.body
    return here.until(task["id"])


def test_an_agent_is_stopped_in_mid_turn_when_its_cost_budget_is_used_up(
    here: Installation, tmp_path: Path
) -> None:
    task = run(here, "work on and on", tmp_path, budget_cents=20)
    attempt = task["attempts"][-1]
    assert (task["status"], task["stop_reason"], attempt["stop_reason"]) == (
        "stopped", "budget-exceeded", "budget-exceeded",
    )  # fmt: skip
    assert attempt["blocked_reason"] == "The cost budget of 20 cents is used up: about 50 cents spent."
    assert (attempt["cost"]["cost_micros"], attempt["cost"]["estimated"]) == (500_250, True)
    refused = here.post(f"/tasks/{task['id']}/start")
    assert refused.status == 412
    assert "The cost budget of 20 cents is used up" in refused.body["detail"]
    last = [event for event in here.events(task["id"]) if "budget-exceeded" in event["message"]][-1]
    assert last["metadata"]["detail"] == attempt["blocked_reason"]


def test_an_agent_that_finished_over_its_budget_is_done_and_not_started_again(
    here: Installation, tmp_path: Path
) -> None:
    task = run(here, "finish", tmp_path, budget_cents=20)
    assert (task["status"], task["stop_reason"]) == ("completed", None)
    assert (task["cost_ledger"]["cost_micros"], task["cost_ledger"]["estimated"]) == (900_000, False)
    assert here.post(f"/tasks/{task['id']}/reply", {"message": "one more thing"}).status == 412


def test_an_agent_killed_in_mid_turn_is_counted_from_its_session_file(
    here: Installation, tmp_path: Path
) -> None:
    task = run(here, "die", tmp_path)
    assert task["status"] == "failed"
    ledger = task["cost_ledger"]
    assert (ledger["input_tokens"], ledger["output_tokens"]) == (5000, 20)
    assert (ledger["cost_micros"], ledger["estimated"]) == (5000 * 5 + 20 * 25, True)


def test_costs_are_listed_by_task(here: Installation, tmp_path: Path) -> None:
    task = run(here, "finish", tmp_path)
    found = here.get(f"/costs?by=task&workspace={tmp_path}").body
    assert [(row["key"], row["cost_micros"]) for row in found["rows"]] == [(task["id"], 900_000)]
