"""Codex as a first-class agent: the real program through a whole installation, its model a script.

Every scenario ends by comparing the task's ledger with what the model server handed out.
"""

from __future__ import annotations

import dataclasses

import pytest

from tests.agents import scenarios
from tests.agents.model_server import goal
from tests.agents.site import ASK, Site, assert_counted
from tests.waiting import wait_until

pytestmark = [pytest.mark.agents, pytest.mark.sandbox]

QUESTION = {
    "id": "colour",
    "header": "Colour",
    "question": "Which colour?",
    "options": [{"label": "Red", "description": "Warm"}, {"label": "Blue", "description": "Cold"}],
}


# Work, and what is seen of it, in both forms


@pytest.mark.parametrize("model", ["gpt-5.5", "gpt-5.6-sol"], ids=["tools", "code-mode"])
def test_a_patched_file_is_captured_without_a_commit(either: Site, model: str) -> None:
    task_id = either.start(
        {"think": "A file first.", "say": "I write.", "write": "new.txt", "content": "hello\n"},
        {"edit": "new.txt", "old": "hello", "new": "goodbye"},
        {"run": "cat new.txt; exit 3"},
        {"say": "Done."},
        model=model,
    )
    task = either.ended(task_id, "ready-for-review")
    diff = either.installation.get(f"/tasks/{task_id}/diff").body
    assert [(file["path"], file["additions"]) for file in diff["files"]] == [("new.txt", 1)]
    assert "+goodbye" in diff["patch"]
    assert either.said(task_id) == ["I write.", "Done."]
    assert [event["message"] for event in either.events(task_id, "agent-thinking")] == ["A file first."]
    assert len(either.events(task_id, "tool-call")) == 3
    results = either.events(task_id, "tool-result")
    assert any("goodbye" in event["message"] for event in results)
    assert any(event["metadata"]["failed"] for event in results), "exit 3 is a failed call"
    assert task["current_attempt"]["exit_code"] == 0
    assert task["runner_session_id"]
    assert assert_counted(either, task_id).answers == 4


def test_a_reply_after_the_exit_resumes_the_thread(either: Site) -> None:
    task_id = either.start({"write": "one.txt", "content": "1\n"}, {"say": "One."})
    first = either.ended(task_id, "ready-for-review")
    either.reply(task_id, goal({"write": "two.txt", "content": "2\n"}, {"say": "Two."}))
    second = either.ended(task_id, "ready-for-review", attempts=2)
    assert second["runner_session_id"] == first["runner_session_id"]
    assert either.said(task_id) == ["One.", "Two."]
    assert either.made(task_id, "one.txt").exists()
    assert either.made(task_id, "two.txt").exists()
    assert assert_counted(either, task_id).answers == 4
    spent = [attempt["cost"]["output_tokens"] for attempt in second["attempts"]]
    assert spent == [31 + 38, 31 + 38], "each attempt has its own share of the thread's total"


def test_several_tool_calls_at_once_are_each_a_call_with_its_result(either: Site) -> None:
    task_id = either.start({"calls": [{"run": "echo one"}, {"run": "echo two"}]}, {"say": "Done."})
    either.ended(task_id, "completed")
    called = {event["metadata"]["tool_use_id"] for event in either.events(task_id, "tool-call")}
    results = {event["metadata"]["tool_use_id"] for event in either.events(task_id, "tool-result")}
    assert called == results
    assert len(called) == 2
    assert assert_counted(either, task_id).tool_calls == 2


def test_stop_leaves_no_process(either: Site) -> None:
    task_id = either.start({"run": "sleep 1000 & setsid sleep 1001 & sleep 1002"}, {"say": "Never said."})
    wait_until(lambda: either.sleeps(task_id) == 3, 30, what="three sleeps")
    wait_until(lambda: either.events(task_id, "tool-call"), 30, what="Codex to tell of the call")
    either.command(task_id, "stop")
    task = either.ended(task_id, "stopped")
    assert task["stop_reason"] == "user"
    assert either.nothing_runs(task_id)
    assert_counted(either, task_id)


def test_a_secret_it_says_bit_by_bit_stands_nowhere_in_its_log(codex: Site) -> None:
    secret = "ghp_" + "".join(f"{number:03}zQ" for number in range(8))
    turn = {"think": f"It is {secret}.", "say": f"The key is {secret}, I think.", "pace": 0.01}
    task_id = codex.start(turn, policy={"allow_network": True})
    codex.ended(task_id, "completed")
    assert codex.said(task_id) == ["The key is [redacted], I think."]
    pieces = [secret[start : start + 7].encode() for start in range(4, len(secret) - 7)]
    attempt = codex.task(task_id)["current_attempt"]["id"]
    log = (codex.installation.data / "attempts" / attempt / "log").read_bytes()
    assert b"I think." in log
    assert [piece for piece in pieces if piece in log] == []


# Replies to a live agent


def test_asked_to_resolve_a_conflict_it_finds_it_marked_in_its_files(codex: Site) -> None:
    scenarios.conflict_resolved(codex)


def test_a_message_sent_while_a_turn_runs_is_heard_in_that_turn(codex: Site) -> None:
    """While a command runs, not while an answer is on its way: that one Codex drops, asks again, and never counts."""
    task_id = codex.start({"run": "until [ -e go ]; do sleep 0.05; done"}, {"say": "Both done."})
    wait_until(lambda: codex.events(task_id, "tool-call"), 30, what="the command")
    codex.reply(task_id, "and mind the tests")
    codex.made(task_id, "go").touch()
    task = codex.ended(task_id, "ready-for-review")
    assert "and mind the tests" in codex.heard(task_id)
    assert len(task["attempts"]) == 1
    assert [event["message"] for event in codex.events(task_id, "reply")] == ["and mind the tests"]
    assert_counted(codex, task_id)


def test_a_message_for_later_waits_until_the_turn_has_ended(codex: Site) -> None:
    task_id = codex.start({"run": "true", "gate": "later"}, {"say": "The first is done."})
    codex.reach("later")
    codex.reply(task_id, goal({"say": "The second is done."}), "queue")
    codex.model.open("later")
    wait_until(lambda: len(codex.said(task_id)) == 2, 30, what="the second answer")
    task = codex.ended(task_id, "completed")
    assert codex.said(task_id) == ["The first is done.", "The second is done."]
    assert len(task["attempts"]) == 1
    assert_counted(codex, task_id)


def test_a_reply_to_a_one_shot_agent_waits_and_resumes_it(codex: Site) -> None:
    once = dataclasses.replace(codex, options={"mode": "oneshot"})
    task_id = once.start({"run": "true", "gate": "once"}, {"say": "The first is done."})
    once.reach("once")
    once.reply(task_id, goal({"say": "The second is done."}))
    once.model.open("once")
    task = once.ended(task_id, "completed", attempts=2)
    assert once.said(task_id) == ["The first is done.", "The second is done."]
    assert len({attempt["runner_session_id"] for attempt in task["attempts"]}) == 1
    assert_counted(once, task_id)


def test_after_an_interrupt_the_thread_goes_on(codex: Site) -> None:
    task_id = codex.start({"say": "I run it.", "run": "sleep 1000"}, {"say": "Never said."})
    wait_until(lambda: codex.events(task_id, "tool-call"), 30, what="the command")
    codex.command(task_id, "interrupt")
    codex.until(task_id, "needs-input")
    wait_until(
        lambda: codex.sleeps(task_id) == 0,
        10,
        what="the interrupted command to be gone",
    )
    codex.reply(task_id, goal({"say": "Something else."}))
    task = codex.ended(task_id, "completed")
    assert codex.said(task_id) == ["I run it.", "Something else."]
    assert len(task["attempts"]) == 1
    assert_counted(codex, task_id)


def test_an_interrupt_in_mid_stream_ends_the_turn(codex: Site) -> None:
    task_id = codex.start({"say": "word " * 400, "pace": 0.05})
    wait_until(lambda: codex.sessions(task_id), 30, what="the thread")
    thread = codex.sessions(task_id)[0]
    wait_until(lambda: codex.model.account.requests(thread), 30, what="the model to be asked")
    codex.command(task_id, "interrupt")
    codex.until(task_id, "needs-input")
    codex.reply(task_id, goal({"say": "Shorter."}))
    codex.ended(task_id, "completed")
    assert codex.said(task_id)[-1] == "Shorter."
    assert_counted(codex, task_id)


# Approvals


def test_an_accepted_command_runs(codex: Site) -> None:
    task_id = codex.start({"run": "echo yes > yes.txt"}, {"say": "Ran."}, policy=ASK)
    question = codex.asked(task_id)
    assert question["command"] == "echo yes > yes.txt"
    assert codex.task(task_id)["status"] == "needs-input"
    codex.decide(task_id, question, "allow")
    codex.ended(task_id, "ready-for-review")
    assert codex.made(task_id, "yes.txt").read_text() == "yes\n"
    assert_counted(codex, task_id)


def test_a_declined_command_never_runs_and_the_model_reads_why(codex: Site) -> None:
    task_id = codex.start({"run": "touch no.txt"}, {"say": "I see."}, policy=ASK)
    codex.decide(task_id, codex.asked(task_id), "deny", note="not on a Friday")
    assert codex.ended(task_id)["current_attempt"]["outcome"] == "blocked"
    assert not codex.made(task_id, "no.txt").exists()
    heard = codex.heard(task_id) + codex.heard(task_id, "tool")
    assert any("not on a Friday" in text for text in heard)
    assert_counted(codex, task_id)


def test_its_own_start_complains_of_nothing(codex: Site) -> None:
    task_id = codex.start({"say": "Here."})
    codex.ended(task_id, "completed")
    assert not any("Read-only" in event["message"] for event in codex.events(task_id))


def test_a_patch_is_asked_about_with_its_diff(codex: Site) -> None:
    task_id = codex.start({"write": "new.txt", "content": "secret plan\n"}, {"say": "Done."}, policy=ASK)
    question = codex.asked(task_id)
    assert "secret plan" in question["input"]["changes"][0]["diff"]
    assert question["input"]["changes"][0]["path"].endswith("new.txt")
    codex.decide(task_id, question, "allow")
    codex.ended(task_id, "ready-for-review")
    assert codex.made(task_id, "new.txt").read_text() == "secret plan\n"
    assert_counted(codex, task_id)


def test_a_declined_patch_changes_nothing(codex: Site) -> None:
    task_id = codex.start({"write": "new.txt", "content": "x\n"}, {"say": "I see."}, policy=ASK)
    codex.decide(task_id, codex.asked(task_id), "deny")
    assert codex.ended(task_id, "completed")["current_attempt"]["outcome"] == "blocked"
    assert not codex.made(task_id, "new.txt").exists()
    assert_counted(codex, task_id)


def test_codex_runs_what_it_asked_for_and_no_edited_command(codex: Site) -> None:
    task_id = codex.start({"run": "echo asked > asked.txt"}, {"say": "Ran."}, policy=ASK)
    question = codex.asked(task_id)
    path = f"/tasks/{task_id}/approvals/{question['id']}"
    answer = codex.installation.post(path, {"decision": "allow", "updated_input": {"command": "true"}})
    assert answer.status == 422
    assert codex.asked(task_id)["id"] == question["id"], "the question still waits"
    codex.decide(task_id, question, "allow")
    codex.ended(task_id, "ready-for-review")
    assert_counted(codex, task_id)


def test_a_deny_granted_to_an_agent_that_never_asked_holds_from_its_next_turn_on(codex: Site) -> None:
    task_id = codex.start({"run": "true", "gate": "unasked"}, {"say": "First."})
    codex.reach("unasked")
    rule = {"tool": "Bash", "pattern": "touch*", "action": "deny", "reason": "nothing new"}
    assert codex.installation.post(f"/tasks/{task_id}/rules", rule).status == 200
    wait_until(lambda: codex.task(task_id)["pending_command"] is None, 30, what="Codex to be told")
    codex.reply(task_id, goal({"run": "touch no.txt"}, {"say": "I see."}), "queue")
    codex.model.open("unasked")
    codex.ended(task_id, "completed")
    codex.reply(task_id, goal({"run": "touch never.txt"}, {"say": "I see again."}))
    codex.ended(task_id, attempts=2)
    assert codex.said(task_id) == ["First.", "I see.", "I see again."]
    assert not codex.made(task_id, "no.txt").exists()
    assert not codex.made(task_id, "never.txt").exists()
    assert {(row["status"], row["decided_by"]) for row in codex.approvals(task_id)} == {("denied", "policy")}
    assert_counted(codex, task_id)


def test_allowed_for_the_task_the_next_like_it_is_not_asked(codex: Site) -> None:
    turns = [{"run": "date > one.txt"}, {"run": "date > one.txt"}, {"say": "Ran."}]
    task_id = codex.start(*turns, policy=ASK)
    codex.decide(task_id, codex.asked(task_id), "allow", scope="task")
    codex.ended(task_id, "ready-for-review")
    assert [row["decided_by"] for row in codex.approvals(task_id)] == ["owner", "policy"]
    assert_counted(codex, task_id)


def test_a_request_nobody_answers_is_denied_and_its_turn_interrupted(codex: Site) -> None:
    scenarios.expires(codex)


def test_a_question_of_the_agent_is_answered_with_a_choice(codex: Site) -> None:
    ask = {"call": "request_user_input", "input": {"questions": [QUESTION]}}
    task_id = codex.start(ask, {"say": "Thank you."}, mode="plan")
    question = codex.asked(task_id, "request_user_input")
    assert question["choices"][0]["question"] == "Which colour?"
    codex.decide(task_id, question, "allow", updated_input={"answers": {"Which colour?": "Blue"}})
    codex.ended(task_id, "completed")
    assert any("Blue" in text for text in codex.heard(task_id, "tool"))
    assert_counted(codex, task_id)
