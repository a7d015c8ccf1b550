"""Granted secrets and the real Claude Code: masked wherever we store them, original wherever the agent gets them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agents.model_server import goal
from tests.agents.site import ASK, Site, site

pytestmark = [pytest.mark.agents, pytest.mark.sandbox]

VALUE = "hunter2-hunter2-{quoted}"
MASKED = "[redacted]"


@pytest.fixture(scope="module")
def claude() -> Iterator[Site]:
    with site("claude-code") as made:
        answer = made.installation.post("/secrets", {"name": "DEPLOY", "value": VALUE})
        assert answer.status == 200
        yield made


def asks(claude: Site, *turns: dict[str, Any]) -> str:
    return claude.start(prompt=goal(*turns), policy=ASK, env=["DEPLOY"])


def assert_kept_nowhere(claude: Site) -> None:
    """No byte of the value in the data directory, but for the agents' own worktrees."""
    data = claude.installation.data
    for folder, folders, names in os.walk(data):
        folders[:] = [name for name in folders if name != "worktrees"]
        for path in (Path(folder, name) for name in names):
            assert not path.is_file() or b"hunter2-hunter2" not in path.read_bytes(), path


def restart_worker(claude: Site) -> None:
    here = claude.installation
    here.kill(here.workers.pop())
    here.start_worker()


def test_an_allowed_command_runs_as_it_was_written_also_after_the_worker_died(claude: Site) -> None:
    task_id = asks(
        claude,
        {"run": f"printf %s '{VALUE}' > got.txt; printf %s \"$DEPLOY\" > granted.txt"},
        {"say": f"I used {VALUE}."},
    )
    question = claude.asked(task_id)
    assert question["command"] == f"printf %s '{MASKED}' > got.txt; printf %s \"$DEPLOY\" > granted.txt"
    assert VALUE not in str(question)
    restart_worker(claude)
    claude.decide(task_id, question, "allow")
    task = claude.ended(task_id, "ready-for-review")
    assert claude.made(task_id, "got.txt").read_text() == VALUE
    assert claude.made(task_id, "granted.txt").read_text() == VALUE
    assert claude.said(task_id) == [f"I used {MASKED}."]
    assert "[secret DEPLOY]" in task["prompt"]
    diff = claude.installation.get(f"/tasks/{task_id}/diff").body
    assert f"+{MASKED}" in diff["patch"]
    assert_kept_nowhere(claude)


def test_an_edited_input_may_hold_the_value_but_not_its_mask(claude: Site) -> None:
    task_id = asks(claude, {"run": f"echo {VALUE} > asked.txt"}, {"say": "Ran."})
    question = claude.asked(task_id)
    path = f"/tasks/{task_id}/approvals/{question['id']}"
    edited = {"decision": "allow", "updated_input": {"command": f"echo {MASKED} > asked.txt"}}
    refused = claude.installation.post(path, edited)
    assert (refused.status, refused.body["field"]) == (422, "updated_input")
    claude.decide(task_id, question, "allow", updated_input={"command": f"printf %s '{VALUE}' > edited.txt"})
    claude.ended(task_id, "ready-for-review")
    assert claude.made(task_id, "edited.txt").read_text() == VALUE
    (row,) = claude.approvals(task_id)
    assert row["updated_input"] == {"command": "printf %s '[secret DEPLOY]' > edited.txt"}
    assert_kept_nowhere(claude)


def test_a_question_about_a_secret_is_answered_with_what_was_shown(claude: Site) -> None:
    options = [{"label": f"Yes, {VALUE}", "description": "As it is"}, {"label": "No", "description": "Never"}]
    asked = {"question": f"Use {VALUE}?", "header": "Key", "multiSelect": False, "options": options}
    task_id = asks(
        claude, {"call": "AskUserQuestion", "input": {"questions": [asked]}}, {"say": "Thank you."}
    )
    question = claude.asked(task_id, "AskUserQuestion")
    (choice,) = question["choices"]
    assert (choice["question"], choice["options"][0]["label"]) == (f"Use {MASKED}?", f"Yes, {MASKED}")
    answers = {choice["question"]: choice["options"][0]["label"]}
    claude.decide(task_id, question, "allow", updated_input={"answers": answers})
    claude.ended(task_id, "completed")
    assert any(f"Yes, {VALUE}" in text for text in claude.heard(task_id, "tool"))
    assert_kept_nowhere(claude)


def test_a_reply_reaches_the_agent_as_it_was_typed(claude: Site) -> None:
    task_id = claude.start({"run": "true", "gate": "typed"}, {"say": "Done."}, env=["DEPLOY"])
    claude.reach("typed")
    claude.reply(task_id, f"the key is {VALUE}")
    claude.model.open("typed")
    claude.ended(task_id, "completed")
    assert any(f"the key is {VALUE}" in text for text in claude.heard(task_id))
    assert [event["message"] for event in claude.events(task_id, "reply")] == [f"the key is {MASKED}"]
    assert_kept_nowhere(claude)
