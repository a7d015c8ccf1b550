"""The boundary that is hardest to change later, proven with the real program: a two-way approval inside bubblewrap
that is answered after a kill -9 of the worker."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agents import model_server, programs
from tests.installation import Installation, installed, repository
from tests.waiting import wait_until

pytestmark = [pytest.mark.agents, pytest.mark.sandbox]

ASK = {"allow_network": True, "tool_rules": [{"tool": "*", "action": "ask"}]}
SECRET = "ghp_" + "a1B2" * 9


@pytest.fixture(scope="module")
def model() -> Iterator[str]:
    """The address of a scripted model server."""
    with model_server.running() as server:
        yield server.address


@pytest.fixture
def installation(tmp_path: Path, model: str, home: Path) -> Iterator[Installation]:
    path = f"{programs.folder_of('claude')}:{os.environ['PATH']}"
    settings = {"PATH": path, **programs.claude_settings(model)}
    with installed(tmp_path, **settings) as running:
        wait_until(lambda: available(running), 15, what="claude to be found")
        yield running


def available(installation: Installation) -> bool:
    runners = {item["runner"]: item for item in installation.get("/runners").body}
    return bool(runners["claude-code"]["available"])


def start(installation: Installation, workspace: Path, *turns: dict[str, Any]) -> str:
    given = {
        "title": "ask me",
        "prompt": model_server.goal(*turns),
        "runner": "claude-code",
        "workspace": str(workspace),
        "policy": ASK,
    }
    task = installation.post("/tasks", given).body
    assert installation.post(f"/tasks/{task['id']}/start").status in (200, 202)
    return str(task["id"])


def asked(installation: Installation, task_id: str) -> dict[str, Any]:
    """The pending approval request."""

    def pending() -> dict[str, Any] | None:
        rows = installation.get(f"/tasks/{task_id}/approvals").body
        return next((row for row in rows if row["status"] == "pending"), None)

    found = wait_until(pending, 30, what=f"a question\n{installation.logs()}")
    assert found is not None
    return found


def test_an_approval_is_answered_after_the_worker_was_killed(
    installation: Installation, tmp_path: Path
) -> None:
    folder = repository(tmp_path / "repo")
    command = f"echo {SECRET} > made.txt && wc -c < made.txt"
    task_id = start(
        installation, folder, {"call": "Bash", "input": {"command": command}}, {"say": "All done."}
    )

    question = asked(installation, task_id)
    assert question["tool"] == "Bash"
    assert SECRET not in str(question), "what is stored is masked"
    assert installation.until(task_id, "needs-input")["attention"] in ("approval", "question")
    assert installation.task(task_id)["policy_report"]["workspace_access"][0] == "enforced"

    installation.kill(installation.workers[0])
    installation.start_worker()
    answer = installation.post(f"/tasks/{task_id}/approvals/{question['id']}", {"decision": "allow"})
    assert answer.status in (200, 202), answer.body

    task = installation.until(task_id, timeout=30)
    assert task["status"] == "ready-for-review", installation.logs()
    made = Path(task["execution_workspace"]) / "made.txt"
    assert made.read_text() == SECRET + "\n", "the agent got the original bytes, not the mask"
    events = installation.events(task_id)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    categories = [(event["metadata"] or {}).get("category") for event in events]
    assert categories.count("tool-call") == categories.count("tool-result") == 1
    assert any(event["message"] == "All done." for event in events)
    late = installation.post(f"/tasks/{task_id}/approvals/{question['id']}", {"decision": "deny"})
    assert late.status == 409


def test_an_approval_given_while_no_worker_lives_is_delivered_by_the_next(
    installation: Installation, tmp_path: Path
) -> None:
    folder = repository(tmp_path / "repo")
    task_id = start(
        installation,
        folder,
        {"call": "Bash", "input": {"command": "touch denied.txt"}},
        {"say": "Understood."},
    )
    question = asked(installation, task_id)
    installation.kill(installation.workers[0])
    answer = installation.post(
        f"/tasks/{task_id}/approvals/{question['id']}", {"decision": "deny", "note": "not in this repository"}
    )
    assert answer.status in (200, 202)
    installation.start_worker()
    task = installation.until(task_id, timeout=30)
    assert not (Path(task["execution_workspace"]) / "denied.txt").exists()
    assert any("not in this repository" in event["message"] for event in installation.events(task_id))
