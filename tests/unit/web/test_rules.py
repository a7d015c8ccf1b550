"""The API of rules: of a task, of a workspace, in a policy; and what an approval says of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared import approvals
from shared.approvals import Question
from shared.store.database import transaction
from shared.store.models import Approval
from tests.unit.web.conftest import Api, PlayedWorker

RULE = {"tool": "Bash", "pattern": "make*", "action": "allow"}
WRONG = [
    ({**RULE, "action": "perhaps"}, "action"),
    ({"tool": "Bash"}, "action"),
    ({**RULE, "tool": ""}, "tool"),
    ({**RULE, "tool": "  "}, "tool"),
    ({**RULE, "tool": "x" * 201}, "tool"),
    ({**RULE, "pattern": "x" * 1001}, "pattern"),
    ({**RULE, "path": "x" * 1001}, "path"),
    ({**RULE, "reason": "x" * 1001}, "reason"),
]


@pytest.mark.parametrize(("rule", "field"), WRONG)
def test_a_wrong_rule_is_refused_wherever_it_is_given_and_changes_nothing(
    api: Api, tmp_path: Path, rule: dict[str, Any], field: str
) -> None:
    task = api.new()
    made = api.post("/workspaces/register", {"path": str(tmp_path)}).json
    for answer, where in (
        (api.post("/tasks", {**NEW, "policy": {"tool_rules": [RULE, rule]}}), f"policy.tool_rules.1.{field}"),
        (api("PATCH", f"/workspaces/{made['id']}", {"tool_rules": [rule]}), f"tool_rules.0.{field}"),
        (api.post(f"/tasks/{task['id']}/rules", rule), field),
    ):
        assert (answer.status_code, answer.json["field"]) == (422, where)
    assert len(api.get("/tasks").json) == 1
    assert api.get(f"/tasks/{task['id']}/rules").json == []
    assert api.get(f"/workspaces/{made['id']}").json["defaults"] == {}


NEW = {"title": "t", "prompt": "p", "runner": "shell", "command": "true"}


def test_too_many_rules_and_an_odd_expiry_are_refused(api: Api) -> None:
    many = api.post("/tasks", {**NEW, "policy": {"tool_rules": [RULE] * 201}})
    assert (many.status_code, many.json["field"]) == (422, "policy.tool_rules")
    for minutes in (0, -1, 60 * 24 * 7 + 1, 1.5):
        odd = api.post("/tasks", {**NEW, "policy": {"approval_minutes": minutes}})
        assert (odd.status_code, odd.json["field"]) == (422, "policy.approval_minutes")
    assert api.new(policy={"approval_minutes": 5})["policy"]["approval_minutes"] == 5


def test_a_tasks_rules_are_added_listed_and_removed(api: Api) -> None:
    path = f"/tasks/{api.new()['id']}/rules"
    made = api.post(path, RULE).json
    assert api.get(path).json == [made] == [{"id": made["id"], **RULE}]
    assert api("DELETE", f"{path}/{made['id']}").status_code == 204
    assert api("DELETE", f"{path}/{made['id']}").status_code == 404
    assert api.get(path).json == []


def test_a_workspaces_rules_are_kept_without_what_was_left_out(api: Api, tmp_path: Path) -> None:
    made = api.post("/workspaces/register", {"path": str(tmp_path)}).json
    changed = api("PATCH", f"/workspaces/{made['id']}", {"tool_rules": [{**RULE, "path": None}]})
    assert changed.json["defaults"] == {"tool_rules": [RULE]}
    task = api.new(workspace=str(tmp_path))
    assert (task["preset"], task["policy"]["tool_rules"]) == ("default", [])
    started = api.post(f"/tasks/{task['id']}/start").json
    assert started["effective_policy"]["tool_rules"] == [{**RULE, "origin": "workspace"}]


def test_an_approval_says_which_rule_would_be_granted_and_how_far_its_answer_came(
    api: Api, worker: PlayedWorker, running: dict[str, Any]
) -> None:
    attempt = worker.claimed[0]
    with transaction():
        for name in "ab":
            approvals.ask(
                attempt.id,
                attempt.task_id,
                Question(name, "Bash", "run", "npm test", {"command": "npm test"}, tool_use_id=f"use-{name}"),
            )
    path = f"/tasks/{running['id']}/approvals"
    first = api.get(path).json[0]
    assert first["task_rule"] == {"tool": "Bash", "pattern": "npm test*", "action": "allow"}
    assert (first["tool_use_id"], first["delivered_at"], first["confirmed_at"]) == ("use-a", None, None)
    decided = api.post(f"{path}/{first['id']}", {"decision": "allow", "scope": "task"}).json
    assert (decided["status"], decided["task_rule"]) == ("allowed", None)
    assert {row.status for row in Approval.select()} == {"allowed"}
    approvals.confirm(attempt.id, ["use-a"])
    shown = api.get(path).json[0]
    assert shown["confirmed_at"] >= shown["decided_at"]
