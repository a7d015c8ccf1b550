"""The push page shows remote, branch, objections and the exact commands before anything runs."""

from __future__ import annotations

from typing import Any

import pytest

from shared.lifecycle import Status
from shared.store.database import transaction
from shared.store.models import Command, Task
from tests.unit.pages.conftest import Visitor
from tests.unit.web.conftest import Api, PlayedWorker

OID = "1" * 40
SEEN: dict[str, Any] = {
    "remotes": [
        {"name": "origin", "address": "https://github.com/owner/name.git"},
        {"name": "fork", "address": "git@github.com:me/name.git"},
    ],
    "remote": "origin",
    "branch": "openruntime/1-<fix>",
    "base": "main",
    "landed": False,
    "commit_oid": None,
    "head_oid": OID,
    "target_oid": OID,
    "conflicts": [],
    "blocking": [{"kind": "secrets", "path": "a.env", "why": "A key", "overridable": True}],
    "verify": {"state": "not-run"},
    "commands": ["git push --porcelain -- https://github.com/owner/name.git COMMIT:refs/heads/<fix>"],
    "pull_request": {
        "program": "gh",
        "title": "Fix <it>",
        "body": "The goal",
        "command": "gh pr create --title=<it>",
        "compare_url": "https://github.com/owner/name/compare/main...x?expand=1",
    },
}
URL = "https://github.com/owner/name/pull/7"


@pytest.fixture
def task(api: Api) -> Task:
    made = api.new()
    with transaction():
        Task.update(
            worktree_path="/w", status=Status.READY_FOR_REVIEW, diff_stat=" a | 1 +\n 1 file changed"
        ).execute()
    return Task.get(Task.id == made["id"])


@pytest.fixture
def asked(worker: PlayedWorker) -> list[tuple[str, dict[str, Any]]]:
    seen: list[tuple[str, dict[str, Any]]] = []

    def carry_out(command: Command) -> tuple[str, dict[str, Any]]:
        seen.append((command.kind, command.body))
        pushed = {"message": "Pushed 1 to branch x of origin", "pull_request_url": URL}
        return "applied", SEEN if command.kind == "push-preview" else pushed

    worker.answer = carry_out
    return seen


def test_the_page_shows_what_would_run_and_runs_nothing(visitor: Visitor, task: Task, asked: list) -> None:
    text = visitor.get(f"/ui/tasks/{task.id}/push?remote=origin&branch=x").text
    for shown in (
        "https://github.com/owner/name.git COMMIT:refs/heads/&lt;fix&gt;",
        "gh pr create --title=&lt;it&gt;",
        "A secret would land.",
        'value="Fix &lt;it&gt;"',
        "Pushing runs the required checks first",
    ):
        assert shown in text
    assert asked == [("push-preview", {"remote": "origin", "branch": "x"})]


def test_the_form_pushes_what_was_shown_and_what_was_edited(
    visitor: Visitor, task: Task, asked: list
) -> None:
    fields = {"remote": "fork", "branch": "x", "head_oid": OID, "target_oid": OID, "message": "M\r\n\r\nmore"}
    more = {"override": ["secrets", "verify"], "pull_request": "1", "title": "T", "body": "B\r\nb"}
    page = f"/ui/tasks/{task.id}/push"
    refused = visitor.send(page, {**fields, **more, "shown": "origin x", "back": page})
    assert "not those of the commands that were shown" in refused.text
    asked.clear()
    answer = visitor.send(page, {**fields, **more, "shown": "fork x"})
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/ui/tasks/{task.id}/changes")
    wanted = {**fields, "message": "M\n\nmore", "override": ["secrets", "verify"]}
    assert asked == [("push", {**wanted, "pull_request": {"title": "T", "body": "B\nb"}})]
    text = visitor.get(answer.headers["Location"]).text
    assert "Pushed 1 to branch x of origin" in text
    assert f'href="{URL}"' in text


def test_a_refusal_is_shown_at_the_form(visitor: Visitor, task: Task, worker: PlayedWorker) -> None:
    def carry_out(command: Command) -> tuple[str, dict[str, Any]]:
        if command.kind == "push-preview":
            return "applied", SEEN
        return "refused", {"status": 409, "detail": "The branch <x> is there already."}

    worker.answer = carry_out
    page = f"/ui/tasks/{task.id}/push"
    answer = visitor.send(page, {"back": page, "remote": "origin", "branch": "mine", "shown": "origin mine"})
    assert answer.status_code == 409
    assert "The branch &lt;x&gt; is there already." in answer.text
    assert 'value="mine"' in answer.text


def test_where_no_worker_can_look_the_page_says_why(
    visitor: Visitor, task: Task, worker: PlayedWorker
) -> None:
    worker.answer = lambda command: ("refused", {"status": 412, "detail": "This repository has no remote."})
    assert "This repository has no remote." in visitor.get(f"/ui/tasks/{task.id}/push").text
