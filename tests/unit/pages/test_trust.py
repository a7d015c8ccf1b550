"""Looking at what a repository configures: on the task's card and page, and over the API."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from shared import fleet, tasks
from shared.agents import trust
from shared.agents.trust import Found
from shared.commands import CommandKind
from shared.store.models import Command, Task
from tests.unit.pages.conftest import Visitor
from tests.unit.web.conftest import Api, PlayedWorker

DIGEST = "1" * 64
HOSTILE = '<script>alert(1)</script>{"hooks": 1}'


@pytest.fixture
def looks(worker: PlayedWorker) -> list[Found]:
    """What the worker finds when it is asked to look; a test may change it."""
    files = [Found(".claude/settings.json", DIGEST, 3, HOSTILE)]
    configured = {"configured_by": [".claude/settings.json"]}
    fleet.publish_runners([fleet.RunnerState("claude-code", True, "claude", capabilities=configured)])

    def answer(command: Command) -> tuple[str, dict[str, Any]]:
        if command.kind == CommandKind.LOOK:
            trust.record(Task.get_by_id(command.task_id), files)
        return "applied", {}

    worker.answer = answer
    return files


@pytest.fixture
def task(api: Api, looks: list[Found]) -> Task:
    """A task whose start was refused for what the worker found."""
    made = api.new(runner="claude-code", command=None)
    refused = api.post(f"/tasks/{made['id']}/start")
    assert (refused.status_code, refused.json["files"][0]["digest"]) == (412, DIGEST)
    assert api.get(f"/tasks/{made['id']}").json["attention"] == "policy"
    return tasks.get(made["id"])


def test_the_card_leads_to_the_files_and_the_page_shows_them_as_text(visitor: Visitor, task: Task) -> None:
    board = visitor.get("/").text
    assert "The repository configures Claude: look before it starts" in board
    assert f'href="/ui/tasks/{task.id}">Look at the files' in board
    page = visitor.get(f"/ui/tasks/{task.id}").text
    assert ".claude/settings.json" in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page


def shown(visitor: Visitor, task: Task) -> list[str]:
    return re.findall(r'name="file" value="(\d+)"', visitor.get(f"/ui/tasks/{task.id}").text)


def test_trusting_what_was_shown_starts_the_task(
    visitor: Visitor, task: Task, worker: PlayedWorker, api: Api
) -> None:
    form = f"/ui/tasks/{task.id}/trust"
    assert visitor.send(form, {"file": shown(visitor, task)[0]}).status_code == 303
    assert api.get(f"/tasks/{task.id}").json["status"] == "running"
    registered = api.post("/workspaces/register", {"path": task.workspace}).json
    listed = visitor.get(f"/ui/workspaces/{registered['id']}/trust").text
    assert "Trusted" in listed
    assert visitor.send(f"/ui/workspaces/{registered['id']}/distrust").status_code == 303
    assert api.get(f"/workspaces/{registered['id']}/trust").json[0]["trusted_at"] is None


def test_what_changed_since_it_was_shown_is_not_trusted(
    visitor: Visitor, task: Task, looks: list[Found], api: Api
) -> None:
    old = shown(visitor, task)[0]
    looks[0] = Found(".claude/settings.json", "2" * 64, 3, "{}")
    assert visitor.send(f"/ui/tasks/{task.id}/trust", {"file": old}).status_code == 412
    assert shown(visitor, task) != [old]
    assert visitor.send(f"/ui/tasks/{task.id}/trust", {"file": "999"}).status_code == 409


def test_starting_without_them_needs_no_trust(visitor: Visitor, task: Task, api: Api) -> None:
    assert visitor.send(f"/ui/tasks/{task.id}/trust", {"act": "ignore"}).status_code == 303
    found = api.get(f"/tasks/{task.id}").json
    assert (found["status"], found["options"]["repository_settings"]) == ("running", "ignore")


def test_what_cannot_be_trusted_offers_no_trust(
    visitor: Visitor, looks: list[Found], api: Api, tmp_path: Path
) -> None:
    looks[0] = Found(".claude/settings.json", DIGEST, 3, "{}", "It names another model server.")
    made = api.new(runner="claude-code", command=None)
    api.post(f"/tasks/{made['id']}/start")
    page = visitor.get(f"/ui/tasks/{made['id']}").text
    assert "It names another model server." in page
    assert "and start</button>" not in page
    assert "Start without them" in page


def test_the_api_gives_trust_for_named_contents_only(task: Task, api: Api) -> None:
    workspace = api.post(f"/tasks/{task.id}/start").json["workspace_id"]
    path = f"/workspaces/{workspace}/trust"
    (file,) = api.get(path).json
    assert (file["path"], file["content"], file["trusted_at"]) == (".claude/settings.json", HOSTILE, None)
    for body, status in (
        ({"files": []}, 422),
        ({"files": [{"path": file["path"], "digest": "x"}]}, 422),
        ({"files": [{"path": file["path"], "digest": "2" * 64}]}, 404),
    ):
        assert api.post(path, body).status_code == status
    given = api.post(path, {"files": [{"path": file["path"], "digest": DIGEST}]})
    assert (given.status_code, given.json[0]["trusted_at"] is None) == (200, False)
    assert api("DELETE", path).status_code == 204
    assert api.get(path).json[0]["trusted_at"] is None


def test_the_trust_of_an_unknown_workspace_is_not_an_empty_list(api: Api) -> None:
    assert api.get("/workspaces/11111111-1111-4111-8111-111111111111/trust").status_code == 404
