"""What every agent must do alike, whichever program it is."""

from __future__ import annotations

from typing import Any

from shared.clock import now
from shared.config import from_env
from shared.store.database import close, open_store, transaction
from shared.store.models import Approval
from tests.agents.model_server import goal
from tests.agents.site import ASK, Site, assert_counted
from tests.installation import git
from tests.waiting import wait_until


def six_at_once(site: Site, path: str, **more: int) -> None:
    """Six agents write the file at `path` in worktrees of their own, and each is counted for itself."""

    def turns(number: int) -> list[dict[str, Any]]:
        grown = {name: factor * number for name, factor in more.items()}
        used = {"input": 1000 + number, "cached": 10 * number, "output": 50 + number, **grown}
        return [
            {"write": path, "content": f"{number}\n", "usage": used},
            {"say": f"Agent {number}.", "usage": used},
        ]

    tasks = [site.start(*turns(number)) for number in range(6)]
    for number, task_id in enumerate(tasks):
        site.ended(task_id, "ready-for-review")
        assert site.made(task_id, "mine.txt").read_text() == f"{number}\n"
        assert site.said(task_id) == [f"Agent {number}."]
        assert assert_counted(site, task_id).input == 2 * (1000 + number)
    assert len({site.task(task_id)["runner_session_id"] for task_id in tasks}) == 6


def failed(site: Site, task_id: str, reason: str, outcome: str) -> None:
    """A model that goes on failing fails the task, with the reason and nothing left running."""
    task = site.ended(task_id, "failed")
    assert reason in (task["current_attempt"]["summary"] or "")
    assert task["current_attempt"]["outcome"] == outcome
    assert site.nothing_runs(task_id)
    assert_counted(site, task_id)


def agent_killed(site: Site, gate: str) -> str:
    """kill -9 of the agent fails its attempt; a reply resumes its session in the next. Returns the task's id."""
    task_id = _cut_off(site, gate)
    site.kill_agent(task_id)
    first = site.ended(task_id, "failed")
    assert first["current_attempt"]["signal"] == 9 or first["current_attempt"]["exit_code"] == 137
    return _resumed(site, task_id, first)


def shim_killed(site: Site, gate: str) -> str:
    """kill -9 of the shim takes the agent with it; a reply resumes the session. Returns the task's id."""
    task_id = _cut_off(site, gate)
    site.kill_shim(task_id)
    first = site.ended(task_id, "stopped")
    assert first["stop_reason"] == "interrupted"
    return _resumed(site, task_id, first)


def _cut_off(site: Site, gate: str) -> str:
    """A task whose agent has put down its first answer and waits for one it will not get."""
    task_id = site.start({"say": "First.", "run": "true"}, {"say": "Never said.", "gate": gate})
    site.reach(gate)
    site.reach_file(task_id)
    return task_id


def _resumed(site: Site, task_id: str, first: dict[str, Any]) -> str:
    assert site.nothing_runs(task_id)
    site.reply(task_id, goal({"say": "Here again."}))
    second = site.ended(task_id, "completed", attempts=2)
    assert second["runner_session_id"] == first["runner_session_id"]
    assert_counted(site, task_id)
    return task_id


def worker_killed(site: Site, gate: str) -> None:
    """kill -9 of the worker: the next one takes the agent over, with no event lost or doubled."""
    task_id = site.start({"say": "First.", "run": "true"}, {"say": "Second.", "gate": gate})
    site.reach(gate)
    site.installation.kill(site.installation.workers[-1])
    site.model.open(gate)
    site.installation.start_worker()
    task = site.ended(task_id, "completed")
    assert len(task["attempts"]) == 1
    assert site.said(task_id) == ["First.", "Second."]
    events = site.events(task_id)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert_counted(site, task_id)


def expires(site: Site) -> None:
    """A request whose time is over is denied, the agent hears it, and its turn is interrupted."""
    turns = [{"run": "touch made"}, {"say": "Never said."}]
    task_id = site.start(*turns, policy={**ASK, "approval_minutes": 60})
    row = site.asked(task_id)
    assert row["expires_at"] > row["created_at"]
    open_store(from_env({"OPENRUNTIME_DATA": str(site.installation.data)}))
    try:
        with transaction():
            Approval.update(expires_at=now()).where(Approval.id == row["id"]).execute()
    finally:
        close()

    def is_over() -> bool:
        (shown,) = site.approvals(task_id)
        is_told = shown["status"] == "expired" and shown["delivered_at"] is not None
        return is_told and site.task(task_id)["pending_command"] is None

    wait_until(is_over, 30, what=f"the request to expire\n{site.installation.logs()}")
    assert any("Nobody answered" in event["message"] for event in site.events(task_id, "approval-decision"))
    assert not site.made(task_id, "made").exists()
    assert site.said(task_id) == []
    site.command(task_id, "stop")
    site.ended(task_id)


def conflict_resolved(site: Site) -> None:
    """Asked to resolve a conflict with the branch that moved on, the agent finds it marked in its files, in its session."""
    place = site.repository()
    (place / "a.txt").write_text("one\n")
    git(place, "add", "-A")
    git(place, "commit", "-qm", "a file")
    resolve = "grep -q '<<<<<<< main' a.txt && grep -q THEIRS a.txt && echo BOTH > a.txt"
    task_id = site.start(
        {"run": "echo MINE > a.txt"},
        {"say": "Written."},
        {"run": resolve},
        {"say": "Resolved."},
        workspace=str(place),
    )
    site.ended(task_id, "ready-for-review")
    (place / "a.txt").write_text("THEIRS\n")
    git(place, "commit", "-qam", "theirs")
    path = f"/tasks/{task_id}/worktree"
    assert site.installation.post(f"{path}/merge").body["conflicts"][0]["path"] == "a.txt"
    answer = site.installation.post(f"{path}/rebase", {"conflicts": "mark", "ask": True})
    assert answer.status == 200, answer.body
    site.ended(task_id, "ready-for-review", attempts=2)
    assert site.said(task_id) == ["Written.", "Resolved."]
    assert any("- a.txt (contents)" in text for text in site.heard(task_id))
    assert site.installation.post(f"{path}/merge").status == 200
    assert (place / "a.txt").read_text() == "BOTH\n"
    assert_counted(site, task_id)
