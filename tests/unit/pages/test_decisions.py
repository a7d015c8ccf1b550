"""Answering an agent from a page: edited inputs, plans, questions, rules of a task and of a workspace."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import pytest

from shared import approvals, attempts, tasks, workspaces
from shared.approvals import Question
from shared.secrets.redaction import MASK
from shared.store.database import transaction
from shared.store.models import Approval, Attempt, Task
from tests.unit.pages.conftest import Visitor
from tests.unit.web.conftest import Api

Ask = Callable[..., tuple[str, Approval]]


@pytest.fixture
def task(api: Api) -> Task:
    """A running task of Claude Code."""
    made = tasks.get(api.new(runner="claude-code", command=None)["id"])
    tasks.request_start(made)
    assert attempts.claim_next("w", 8) is not None
    return tasks.get(made.id)


@pytest.fixture
def ask(task: Task) -> Ask:
    """Have its agent ask; gives the form's address and the row."""

    def asks(tool: str = "Bash", *, name: str = "r1", **given: Any) -> tuple[str, Approval]:
        attempt = Attempt.get()
        choices = tuple(given.get("questions", ()))
        question = Question(
            name, tool, f"Claude wants {tool}", given.get("command"), given, "/nowhere/tree", (), choices
        )
        with transaction():
            row = approvals.ask(attempt.id, task.number, question)
            Task.update(status="needs-input").execute()
        return f"/ui/tasks/{task.id}/approvals/{row.id}", row

    return asks


def test_the_form_says_what_allowing_for_the_task_would_allow(visitor: Visitor, task: Task, ask: Ask) -> None:
    act, _ = ask(command="npm test")
    for page in ("/", f"/ui/tasks/{task.id}"):
        assert "Allow “npm test*” for this task" in visitor.get(page).text
    assert visitor.upgraded(act, {"decision": "allow", "scope": "task"}).status_code == 200
    rules = visitor.get(f"/ui/tasks/{task.id}/policy").text
    assert "npm test*" in rules
    removes = re.search(r'action="(/ui/tasks/[^"]+/rules/[^"]+/remove)"', rules)
    assert removes is not None
    assert visitor.send(removes[1]).status_code == 303
    assert Task.get().granted_rules == []


@pytest.mark.parametrize(
    ("tool", "given", "words"),
    [
        ("Bash", {"command": "rm -r build"}, "Allow this exact command for this task"),
        ("Write", {"file_path": "src/a.py", "content": "x"}, "Allow edits in src/** for this task"),
        ("WebFetch", {"url": "http://x"}, "Allow WebFetch for this task"),
    ],
)
def test_what_is_granted_is_told_in_words(
    visitor: Visitor, ask: Ask, tool: str, given: dict[str, str], words: str
) -> None:
    ask(tool, **given)
    assert words in visitor.get("/").text


def test_a_command_is_edited_before_it_is_allowed(visitor: Visitor, task: Task, ask: Ask) -> None:
    act, row = ask(command="make\nmake install", description="Build it")
    page = visitor.get(f"/ui/tasks/{task.id}").text
    assert "Edit before allowing" in page
    fields = {"decision": "allow", "edit:command": "make\r\nmake test", "edit:description": "Build it"}
    assert visitor.send(act, fields).status_code == 303
    found = Approval.get_by_id(row.id)
    assert (found.status, found.updated_input) == ("allowed", {"command": "make\nmake test"})


def test_an_input_left_as_it_was_is_not_an_edit(visitor: Visitor, ask: Ask) -> None:
    act, row = ask(command="make\nall")
    visitor.send(act, {"decision": "allow", "edit:command": "make\r\nall", "edit:unknown": "x"})
    assert Approval.get_by_id(row.id).updated_input is None


def test_a_masked_input_cannot_be_edited_and_says_why(visitor: Visitor, task: Task, ask: Ask) -> None:
    act, row = ask(command=f"curl -H {MASK} x")
    page = visitor.get(f"/ui/tasks/{task.id}").text
    assert "A secret in it was masked, so it cannot be edited here." in page
    assert '<textarea class="field mono" name="edit:' not in page
    visitor.send(act, {"decision": "allow", "edit:command": "true"})
    assert Approval.get_by_id(row.id).updated_input is None


def test_a_codex_request_offers_no_editing(visitor: Visitor, task: Task, ask: Ask) -> None:
    Task.update(runner="codex").execute()
    ask("command_execution", command="make")
    assert "Edit before allowing" not in visitor.get(f"/ui/tasks/{task.id}").text


def test_a_plan_is_shown_as_text_and_approved_or_sent_back(visitor: Visitor, task: Task, ask: Ask) -> None:
    plan = "# Plan\n\n1. **Read** it\n<script>x</script>"
    act, first = ask("ExitPlanMode", plan=plan)
    _, second = ask("ExitPlanMode", name="r2", plan=plan)
    page = visitor.get(f"/ui/tasks/{task.id}").text
    assert "<strong>Read</strong>" in page
    assert "<script>x" not in page
    assert "Approve the plan" in page
    assert "Keep planning" in page
    assert "for this task" not in page
    assert "Read the plan" in visitor.get("/").text
    visitor.send(act, {"decision": "deny", "note": "smaller steps"})
    visitor.send(f"/ui/tasks/{task.id}/approvals/{second.id}", {"decision": "allow"})
    assert [row.status for row in (Approval.get_by_id(first.id), Approval.get_by_id(second.id))] == [
        "denied",
        "allowed",
    ]
    assert Approval.get_by_id(first.id).note == "smaller steps"


def asked(text: str, *labels: str, multi: bool = False) -> dict[str, Any]:
    options = [{"label": label, "description": f"about {label}"} for label in labels]
    return {"question": text, "header": text[:8], "options": options, "multiSelect": multi}


def test_one_question_with_few_options_is_answered_on_its_card(visitor: Visitor, ask: Ask) -> None:
    act, row = ask("AskUserQuestion", questions=[asked("Which?", "SQLite", "Postgres")])
    card = visitor.get("/").text
    assert 'name="choice0" value="SQLite"' in card
    answered = visitor.upgraded(f"{act}/answer", {"choice0": "SQLite"})
    assert answered.status_code == 200
    assert 'class="card' in answered.text
    assert Approval.get_by_id(row.id).updated_input == {"answers": {"Which?": "SQLite"}}


@pytest.mark.parametrize(
    "questions",
    [
        [asked("Which?", "a", "b", multi=True)],
        [asked("Which?", *"abcde")],
        [asked("Which?")],
        [asked("One?", "a"), asked("Two?", "b")],
    ],
)
def test_other_questions_lead_from_the_card_to_the_tasks_page(
    visitor: Visitor, task: Task, ask: Ask, questions: list[dict[str, Any]]
) -> None:
    ask("AskUserQuestion", questions=questions)
    card = visitor.get("/").text
    assert "Answer on the task&#39;s page" in card
    assert 'name="choice0"' not in card


def test_several_questions_are_answered_by_choosing_and_in_words(visitor: Visitor, ask: Ask) -> None:
    act, row = ask(
        "AskUserQuestion",
        questions=[asked("One?", "a", "b", multi=True), asked("Two?", "c"), asked("Three?")],
    )
    missing = visitor.send(f"{act}/answer", {"choice0": "a", "choice1": "c"})
    assert missing.status_code == 400
    fields = {"choice0": ["a", "b"], "other0": "and d", "choice1": "c", "other2": "free"}
    assert visitor.send(f"{act}/answer", fields).status_code == 303
    given = {"One?": "a, b, and d", "Two?": "c", "Three?": "free"}
    assert Approval.get_by_id(row.id).updated_input == {"answers": given}


def test_a_request_that_asks_nothing_is_not_answered_in_words(visitor: Visitor, ask: Ask) -> None:
    act, row = ask(command="make")
    assert visitor.send(f"{act}/answer").status_code == 400
    assert Approval.get_by_id(row.id).status == "pending"


def test_a_rule_is_tried_before_it_is_kept_for_the_task(visitor: Visitor, task: Task, ask: Ask) -> None:
    act, _ = ask(command="git push")
    visitor.send(act, {"decision": "deny"})
    ask(name="r2", command="git status")
    rule = {"tool": "Bash", "pattern": "git *", "action": "allow", "back": f"/ui/tasks/{task.id}/policy"}
    tried = visitor.send(f"/ui/tasks/{task.id}/rules", {**rule, "act": "try"})
    assert "Would have allowed 2 of the last 2 requests, 1 of which you denied." in tried.text
    assert 'value="git *"' in tried.text
    assert Task.get().granted_rules == []
    assert visitor.send(f"/ui/tasks/{task.id}/rules", {**rule, "act": "add"}).status_code == 303
    assert [row.status for row in approvals.of(task)] == ["denied", "allowed"]
    wrong = visitor.send(f"/ui/tasks/{task.id}/rules", {**rule, "tool": " "})
    assert wrong.status_code == 422
    assert "A rule names a tool" in wrong.text
    assert 'value="git *"' in wrong.text


def test_a_workspaces_rules_are_tried_kept_and_removed(visitor: Visitor, api: Api, tmp_path: Any) -> None:
    made = api.post("/workspaces/register", {"path": str(tmp_path)}).json
    path = f"/ui/workspaces/{made['id']}/rules"
    assert path in visitor.get("/ui/workspaces").text
    rule = {"tool": "edit", "path": "docs/<b>**", "action": "deny", "reason": "not these", "back": path}
    assert "No agent has asked" in visitor.send(f"{path}/write", {**rule, "act": "try"}).text
    assert visitor.send(f"{path}/write", rule).status_code == 303
    page = visitor.get(path).text
    assert "docs/&lt;b&gt;**" in page
    assert "not these" in page
    assert "1 rule" in visitor.get("/ui/workspaces").text
    text = html.unescape(re.search(r'name="rule" value="([^"]+)"', page)[1])  # type: ignore[index]
    assert visitor.send(f"{path}/remove", {"rule": text}).status_code == 303
    assert visitor.send(f"{path}/remove", {"rule": text, "back": path}).status_code == 409
    assert workspaces.get(made["id"]).defaults == {}
    assert visitor.get("/ui/workspaces/unknown/rules").status_code == 404
