"""Forms without a script lead back or say why not; with htmx they answer with a partial or a problem."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared import approvals, attempts, fleet, tasks
from shared.approvals import Question
from shared.store.database import transaction
from shared.store.models import Approval, Task
from tests.unit.pages.conftest import Visitor
from tests.unit.web.conftest import Api
from web.pages import compose

GOAL = {"goal": "echo hi", "runner": "shell", "key": "k1"}


def test_a_new_task_is_recorded_and_leads_back(visitor: Visitor, tmp_path: Path) -> None:
    answer = visitor.send("/ui/compose", {**GOAL, "workspace": str(tmp_path), "back": "/?q=x"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/?q=x")
    task = Task.get()
    assert (task.title, task.command, task.prompt, task.status) == ("echo hi", "echo hi", "", "queued")
    assert task.live_attempt is not None


def test_a_form_sent_twice_makes_one_task(visitor: Visitor) -> None:
    assert [visitor.send("/ui/compose", GOAL).status_code for _ in range(2)] == [303, 303]
    assert Task.select().count() == 1
    assert "used for another request" in visitor.send("/ui/compose", {**GOAL, "goal": "echo other"}).text


def test_the_fields_under_more_reach_the_task(visitor: Visitor) -> None:
    more = {"title": "Named", "priority": "-5", "cost": "$2.5", "budget": "30", "preset": "auto-review"}
    assert visitor.send("/ui/compose", {**GOAL, **more}).status_code == 303
    task = Task.get()
    assert (task.title, task.priority, task.budget_minutes) == ("Named", -5, 30)
    assert (task.policy["budget_cents"], task.policy["require_approval"]) == (250, True)
    assert task.status == "needs-input"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"goal": " "}, "Write the command to run."),
        ({"goal": " ", "runner": "codex"}, "Write what the agent should do."),
        ({"goal": "sudo reboot"}, "sudo"),
        ({"cost": "a lot"}, "The cost limit is an amount"),
        ({"cost": "1.234"}, "The cost limit is an amount"),
        ({"priority": "7e3"}, "Priority must be a whole number"),
        ({"budget": "100000"}, "Budget must be a whole number"),
        ({"workspace": "/no/such/place"}, "does not exist"),
        ({"preset": "wild"}, "preset"),
        ({"runner": "gemini"}, "gemini"),
        ({"base_ref": "-x"}, "cannot be the name of a branch"),
        ({"goal": "echo \0"}, "NUL"),
    ],
)
def test_a_refused_task_comes_back_with_a_sentence_and_its_text(
    visitor: Visitor, fields: dict[str, str], said: str
) -> None:
    page = visitor.send("/ui/compose", {**GOAL, "title": "Kept <i>", **fields})
    assert 400 <= page.status_code < 500
    assert said in page.text
    assert "Kept &lt;i&gt;" in page.text
    assert Task.select().count() == 0
    problem = visitor.upgraded("/ui/compose", {**GOAL, **fields})
    assert problem.status_code == page.status_code
    assert said in problem.json["detail"]


def test_a_missing_runner_is_said_before_a_task_is_made(visitor: Visitor) -> None:
    fleet.register_worker("w", "0")
    fleet.publish_runners([fleet.RunnerState("codex", False, "codex", detail="Not found on PATH.")])
    answer = visitor.send("/ui/compose", {"goal": "work", "runner": "codex", "key": "k"})
    assert "Codex is not available on this machine. Not found on PATH." in answer.text
    assert Task.select().count() == 0


@pytest.mark.parametrize(
    "back", ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:x", ""]
)
def test_a_form_leads_only_to_our_own_pages(visitor: Visitor, back: str) -> None:
    assert visitor.send("/ui/compose", {**GOAL, "back": back}).headers["Location"] == "/"


def test_forms_need_the_token_of_their_page(visitor: Visitor) -> None:
    assert visitor.send("/ui/compose", {**GOAL, "csrf_token": "other"}).status_code == 403
    assert Task.select().count() == 0


def test_a_start_and_a_stop_answer_with_the_card(visitor: Visitor, api: Api) -> None:
    task = api.new()
    card = visitor.upgraded(f"/ui/tasks/{task['id']}/start")
    assert 'data-column="queued"' in card.text
    assert "Starts next" in card.text
    assert 'data-column="ended"' in visitor.upgraded(f"/ui/tasks/{task['id']}/stop").text
    assert Task.get().status == "stopped"


def test_a_refused_act_is_said_on_its_card(visitor: Visitor, api: Api) -> None:
    task = api.new()
    page = visitor.send(f"/ui/tasks/{task['id']}/reply", {"message": "hello", "back": "/"})
    assert page.status_code == 409
    assert "The task is not running; start it first." in page.text
    inbox = visitor.send(f"/ui/tasks/{task['id']}/interrupt", {"back": "/ui/inbox"})
    assert (inbox.status_code, "<h1>Inbox</h1>" in inbox.text) == (409, True)


@pytest.fixture
def asked(api: Api) -> Approval:
    """A running task whose agent asks whether it may run a command."""
    task = tasks.get(api.new()["id"])
    tasks.request_start(task)
    attempt = attempts.claim_next("w", 8)
    assert attempt is not None
    question = Question(
        "r1", "Bash", "Claude wants to run a command", "git push \u202eorigin", risk=("network",)
    )
    with transaction():
        found = approvals.ask(attempt.id, task.number, question)
        Task.update(status="needs-input").execute()
    return found


def test_an_agents_request_stands_whole_on_the_card_and_is_answered_there(
    visitor: Visitor, asked: Approval
) -> None:
    task = Task.get()
    page = visitor.get("/").text
    assert "git push" in page
    assert "⟦U+202E⟧" in page
    assert "network" in page
    act = f"/ui/tasks/{task.id}/approvals/{asked.id}"
    assert visitor.upgraded(act, {"decision": "deny", "note": "not now"}).status_code == 200
    row = Approval.get()
    assert (row.status, row.note, row.scope) == ("denied", "not now", "once")
    late = visitor.send(act, {"decision": "allow", "back": "/"})
    assert late.status_code == 409
    assert "already denied" in late.text


def test_a_request_of_another_task_is_not_answered(visitor: Visitor, api: Api, asked: Approval) -> None:
    other = api.new()
    answer = visitor.upgraded(f"/ui/tasks/{other['id']}/approvals/{asked.id}", {"decision": "allow"})
    assert answer.status_code == 404
    assert Approval.get().status == "pending"


@pytest.mark.parametrize(
    ("goal", "title"),
    [
        ("\n\n Fix it \nnow", "Fix it"),
        ("word " * 40, ("word " * 17 + "word…")),
        ("x" * 200, "x" * 90 + "…"),
    ],
)
def test_a_title_is_the_goals_first_line_cut_at_a_word(goal: str, title: str) -> None:
    assert compose.title_of(goal) == title
