"""Claude Code as a first-class agent: the real program through a whole installation, its model a script.

Every scenario ends by comparing the task's ledger with what the model server handed out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.agents import scenarios
from tests.agents.model_server import goal
from tests.agents.site import ASK, Site, assert_counted, site
from tests.waiting import wait_until

pytestmark = [pytest.mark.agents, pytest.mark.sandbox]

QUESTION = {
    "question": "Which colour?",
    "header": "Colour",
    "multiSelect": False,
    "options": [
        {"label": "Red", "description": "Warm"},
        {"label": "Blue", "description": "Cold"},
    ],
}


@pytest.fixture(scope="module")
def claude() -> Iterator[Site]:
    with site("claude-code") as made:
        yield made


def ask_first(turns: list[dict[str, Any]]) -> dict[str, Any]:
    return {"prompt": goal(*turns), "policy": ASK}


# Work, and what is seen of it


def test_an_edited_file_is_captured_without_a_commit(claude: Site) -> None:
    task_id = claude.start(
        {"think": "A file first.", "say": "I write.", "write": "$CWD/new.txt", "content": "hello\n"},
        {"edit": "$CWD/new.txt", "old": "hello", "new": "goodbye"},
        {"say": "Done."},
    )
    task = claude.ended(task_id, "ready-for-review")
    diff = claude.installation.get(f"/tasks/{task_id}/diff").body
    assert [(file["path"], file["additions"]) for file in diff["files"]] == [("new.txt", 1)]
    assert "+goodbye" in diff["patch"]
    assert claude.said(task_id) == ["I write.", "Done."]
    assert [event["message"] for event in claude.events(task_id, "agent-thinking")] == ["A file first."]
    assert len(claude.events(task_id, "tool-call")) == len(claude.events(task_id, "tool-result")) == 2
    assert task["current_attempt"]["exit_code"] == 0
    assert task["runner_session_id"]
    assert assert_counted(claude, task_id).answers == 3


def test_several_tool_calls_at_once_are_each_a_call_with_its_result(claude: Site) -> None:
    calls = [{"run": "echo one"}, {"run": "echo two"}, {"call": "Read", "input": {"file_path": "$CWD/a.txt"}}]
    task_id = claude.start({"calls": calls}, {"say": "Done."})
    claude.ended(task_id, "completed")
    called = [event["metadata"]["tool_use_id"] for event in claude.events(task_id, "tool-call")]
    results = [event["metadata"]["tool_use_id"] for event in claude.events(task_id, "tool-result")]
    assert sorted(called) == sorted(results)
    assert len(set(called)) == 3
    assert assert_counted(claude, task_id).tool_calls == 3


def test_a_sub_agents_work_and_tokens_count(claude: Site) -> None:
    given = {
        "description": "look around",
        "prompt": goal({"run": "echo from the sub-agent"}, {"say": "Looked."}),
        "subagent_type": "general-purpose",
    }
    task_id = claude.start({"call": "Agent", "input": given}, {"say": "Done."})
    claude.ended(task_id, "completed")
    assert "from the sub-agent" in claude.results(task_id)
    assert assert_counted(claude, task_id).answers == 4


def test_a_command_in_the_background_is_waited_for(claude: Site) -> None:
    given = {"command": "sleep 1; echo late > late.txt", "description": "late", "run_in_background": True}
    task_id = claude.start({"call": "Bash", "input": given}, {"say": "It runs."}, {"say": "It is done."})
    claude.ended(task_id, "ready-for-review")
    assert claude.made(task_id, "late.txt").read_text() == "late\n"
    assert claude.said(task_id) == ["It runs.", "It is done."]
    assert_counted(claude, task_id)


# Replies


def test_a_message_sent_while_a_turn_runs_is_heard_in_that_turn(claude: Site) -> None:
    task_id = claude.start({"run": "true", "gate": "steer"}, {"say": "Both done."})
    claude.reach("steer")
    claude.reply(task_id, "and mind the tests")
    claude.model.open("steer")
    task = claude.ended(task_id, "completed")
    assert any("and mind the tests" in text for text in claude.heard(task_id))
    assert len(task["attempts"]) == 1
    assert [event["message"] for event in claude.events(task_id, "reply")] == ["and mind the tests"]
    assert_counted(claude, task_id)


def test_a_message_for_later_waits_until_the_turn_has_ended(claude: Site) -> None:
    task_id = claude.start(
        {"run": "true", "gate": "later"},
        {"write": "$CWD/one.txt", "content": "1\n"},
        {"say": "The first is done."},
    )
    claude.reach("later")
    second = ({"write": "$CWD/two.txt", "content": "2\n"}, {"say": "The second is done."})
    claude.reply(task_id, goal(*second), "queue")
    claude.model.open("later")

    wait_until(lambda: len(claude.said(task_id)) == 2, 30, what="the second answer")
    task = claude.ended(task_id, "ready-for-review")
    assert claude.said(task_id) == ["The first is done.", "The second is done."]
    history = claude.model.account.requests(claude.sessions(task_id)[0])[-1].history
    assert [said.text for said in history if said.role == "model" and said.text][-1] == "The first is done."
    assert len(task["attempts"]) == 1
    turns = claude.installation.get(f"/tasks/{task_id}/turns").body
    assert [(turn["number"], turn["attempt"]) for turn in turns] == [(1, 1), (2, 1)]
    assert (turns[0]["began_from"], turns[0]["ended_with"]) == (None, turns[1]["began_from"])
    assert changed_since(claude, task_id, "base") == ["one.txt", "two.txt"]
    assert changed_since(claude, task_id, "turn") == ["two.txt"]
    assert_counted(claude, task_id)


def changed_since(claude: Site, task_id: str, point: str) -> list[str]:
    found = claude.installation.get(f"/tasks/{task_id}/diff?from={point}")
    return [file["path"] for file in found.body["files"]]


def test_a_reply_after_the_exit_resumes_the_session(claude: Site) -> None:
    task_id = claude.start({"write": "$CWD/one.txt", "content": "1\n"}, {"say": "One."})
    first = claude.ended(task_id, "ready-for-review")
    claude.reply(task_id, goal({"write": "$CWD/two.txt", "content": "2\n"}, {"say": "Two."}))
    second = claude.ended(task_id, "ready-for-review", attempts=2)
    assert second["runner_session_id"] == first["runner_session_id"]
    assert claude.said(task_id) == ["One.", "Two."]
    assert (
        changed_since(claude, task_id, "turn") == changed_since(claude, task_id, "attempt-1") == ["two.txt"]
    )
    assert len(claude.heard(task_id)) >= 2, "the resumed session knows the goal"
    assert claude.made(task_id, "one.txt").exists()
    assert claude.made(task_id, "two.txt").exists()
    assert assert_counted(claude, task_id).answers == 4


def test_asked_to_resolve_a_conflict_it_finds_it_marked_in_its_files(claude: Site) -> None:
    scenarios.conflict_resolved(claude)


def test_a_new_start_is_a_new_session_in_the_same_worktree(claude: Site) -> None:
    task_id = claude.start({"write": "$CWD/one.txt", "content": "1\n"}, {"say": "One."})
    claude.ended(task_id, "ready-for-review")
    assert claude.installation.post(f"/tasks/{task_id}/start").status in (200, 202)
    claude.ended(task_id, attempts=2)
    assert len(claude.sessions(task_id)) == 2
    assert_counted(claude, task_id)


# Approvals


def test_an_allowed_call_runs(claude: Site) -> None:
    task_id = claude.start(**ask_first([{"run": "echo yes > yes.txt"}, {"say": "Ran."}]))
    question = claude.asked(task_id)
    assert (question["tool"], question["command"]) == ("Bash", "echo yes > yes.txt")
    assert claude.task(task_id)["status"] == "needs-input"
    claude.decide(task_id, question, "allow")
    claude.ended(task_id, "ready-for-review")
    assert claude.made(task_id, "yes.txt").read_text() == "yes\n"
    (row,) = claude.approvals(task_id)
    assert row["decided_at"] <= row["delivered_at"] <= row["confirmed_at"], "it went on with the answer"
    assert_counted(claude, task_id)


def test_a_denied_call_never_runs_and_the_model_reads_why(claude: Site) -> None:
    task_id = claude.start(**ask_first([{"run": "touch no.txt"}, {"say": "I see."}]))
    claude.decide(task_id, claude.asked(task_id), "deny", note="not on a Friday")
    claude.ended(task_id)
    assert not claude.made(task_id, "no.txt").exists()
    assert any("not on a Friday" in text for text in claude.heard(task_id, "tool"))
    assert_counted(claude, task_id)


def test_a_turn_whose_tool_was_denied_says_so(claude: Site) -> None:
    task_id = claude.start(**ask_first([{"run": "touch no.txt"}, {"say": "I could not."}]))
    claude.decide(task_id, claude.asked(task_id), "deny", note="no")
    task = claude.ended(task_id, "completed")
    assert task["current_attempt"]["blocked_reason"] == "Tools were denied."


def test_an_edited_input_runs_in_place_of_what_was_asked(claude: Site) -> None:
    task_id = claude.start(**ask_first([{"run": "echo asked > asked.txt"}, {"say": "Ran."}]))
    question = claude.asked(task_id)
    claude.decide(task_id, question, "allow", updated_input={"command": "echo edited > edited.txt"})
    claude.ended(task_id, "ready-for-review")
    assert not claude.made(task_id, "asked.txt").exists()
    assert claude.made(task_id, "edited.txt").read_text() == "edited\n"
    assert_counted(claude, task_id)


def test_allowed_for_the_task_the_next_like_it_is_not_asked(claude: Site) -> None:
    turns = [{"run": "date > one.txt"}, {"run": "date > one.txt"}, {"say": "Ran."}]
    task_id = claude.start(**ask_first(turns))
    claude.decide(task_id, claude.asked(task_id), "allow", scope="task")
    task = claude.ended(task_id, "ready-for-review")
    assert [row["decided_by"] for row in claude.approvals(task_id)] == ["owner", "policy"]
    files = claude.installation.get(f"/tasks/{task_id}/diff").body["files"]
    assert [file["path"] for file in files] == ["one.txt"], "nothing of the agent's settings is written"
    assert task["runner_session_id"]
    assert_counted(claude, task_id)


def test_several_questions_at_once_are_answered_in_any_order(claude: Site) -> None:
    calls = [{"run": "echo 1 > one.txt"}, {"write": "$CWD/two.txt", "content": "2\n"}]
    task_id = claude.start(**ask_first([{"calls": calls}, {"say": "Ran."}]))
    first = claude.asked(task_id)
    pending = [row for row in claude.approvals(task_id) if row["status"] == "pending"]
    for question in reversed(pending):
        claude.decide(task_id, question, "allow")
    while claude.task(task_id)["status"] not in ("ready-for-review", "completed", "failed", "stopped"):
        rows = [row for row in claude.approvals(task_id) if row["status"] == "pending"]
        for question in rows:
            claude.decide(task_id, question, "allow")
        wait_until(lambda: claude.task(task_id)["status"] != "running", 30, what="a question or the end")
    assert {row["tool"] for row in claude.approvals(task_id)} == {"Bash", "Write"}
    assert first["tool"] in ("Bash", "Write")
    assert claude.made(task_id, "one.txt").exists()
    assert claude.made(task_id, "two.txt").exists()
    assert_counted(claude, task_id)


def test_a_question_of_the_agent_is_answered_with_a_choice(claude: Site) -> None:
    ask = {"call": "AskUserQuestion", "input": {"questions": [QUESTION]}}
    task_id = claude.start(ask, {"say": "Thank you."})
    question = claude.asked(task_id, "AskUserQuestion")
    assert question["choices"][0]["question"] == "Which colour?"
    assert [option["label"] for option in question["choices"][0]["options"]] == ["Red", "Blue"]
    claude.decide(task_id, question, "allow", updated_input={"answers": {"Which colour?": "Blue"}})
    claude.ended(task_id, "completed")
    assert any("Blue" in text for text in claude.heard(task_id, "tool"))
    assert_counted(claude, task_id)


@pytest.mark.parametrize(("decision", "heard"), [("allow", "approved"), ("deny", "rather in Rust")])
def test_a_plan_waits_for_a_person(claude: Site, decision: str, heard: str) -> None:
    task_id = claude.start(
        {"call": "EnterPlanMode"},
        {"call": "ExitPlanMode", "input": {"plan": "1. Write it."}},
        {"say": "I go on."},
    )
    question = claude.asked(task_id, "ExitPlanMode")
    assert "1. Write it." in str(question["input"])
    claude.decide(task_id, question, decision, note="rather in Rust" if decision == "deny" else None)
    claude.ended(task_id, "completed")
    assert any(heard in text for text in claude.heard(task_id, "tool"))
    assert_counted(claude, task_id)


# Interrupt and stop


def test_after_an_interrupt_the_session_goes_on(claude: Site) -> None:
    task_id = claude.start({"say": "I run it.", "run": "sleep 1000"}, {"say": "Never said."})
    wait_until(lambda: claude.events(task_id, "tool-call"), 30, what="the command")
    claude.command(task_id, "interrupt")
    waiting = claude.until(task_id, "needs-input")
    assert waiting["attention"] == "question"
    wait_until(
        lambda: claude.sleeps(task_id) == 0,
        10,
        what="the interrupted command to be gone",
    )
    claude.reply(task_id, goal({"say": "Something else."}))
    task = claude.ended(task_id, "completed")
    assert claude.said(task_id) == ["I run it.", "Something else."]
    assert len(task["attempts"]) == 1
    assert_counted(claude, task_id)


def test_an_interrupt_in_mid_stream_ends_the_turn(claude: Site) -> None:
    task_id = claude.start({"say": "word " * 400, "pace": 0.05})
    wait_until(lambda: claude.model.account.requests(task_id), 30, what="the model to be asked")
    claude.command(task_id, "interrupt")
    claude.until(task_id, "needs-input")
    claude.reply(task_id, goal({"say": "Shorter."}))
    claude.ended(task_id, "completed")
    assert claude.said(task_id)[-1] == "Shorter."
    assert_counted(claude, task_id)


def test_stop_leaves_no_process(claude: Site) -> None:
    task_id = claude.start({"run": "sleep 1000 & setsid sleep 1001 & sleep 1002"}, {"say": "Never said."})
    wait_until(lambda: claude.sleeps(task_id) == 3, 30, what="three sleeps")
    claude.command(task_id, "stop")
    task = claude.ended(task_id, "stopped")
    assert task["stop_reason"] == "user"
    assert claude.nothing_runs(task_id)
    assert_counted(claude, task_id)
