"""What the Codex adapter says to `app-server` and sees in recordings of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared.policy import PRESETS, Policy
from workers.runners import codex
from workers.runners.conformance import context, observe
from workers.runners.observations import (
    Asked,
    Hindered,
    Observation,
    Outcome,
    Replied,
    Said,
    Send,
    SessionStarted,
    ToolCall,
    ToolResult,
    TurnEnded,
    Unsafe,
    Withdrawn,
)

TRANSCRIPTS = Path(__file__).parents[2] / "agents/transcripts/codex"
ASKING = Policy(tool_rules=({"tool": "*", "action": "ask"},))


def seen_in(name: str, kind: type, **changes: Any) -> list:
    return [
        seen for seen in observe(codex, TRANSCRIPTS / f"{name}.jsonl", **changes) if isinstance(seen, kind)
    ]


def opening(**changes: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in codex.start(context(**changes)).first_input.splitlines()]


def fed(
    *messages: dict[str, Any], stream: str = "stdout", reader: Any = None, **changes: Any
) -> list[Observation]:
    reader = reader or codex.reader(None, context(**changes))
    return reader.feed(stream, [json.dumps(message) for message in messages])


def opened(**changes: Any) -> Any:
    """A reader whose thread stands and whose first turn runs."""
    reader = codex.reader(None, context(**changes))
    thread = {
        "id": "thread",
        "result": {"thread": {"id": "t-1"}, "model": "m", "approvalPolicy": "untrusted"},
    }
    fed(
        thread,
        {"method": "turn/started", "params": {"threadId": "t-1", "turn": {"id": "u-1"}}},
        reader=reader,
    )
    return reader


def turn_completed(status: str = "completed", **more: Any) -> dict[str, Any]:
    return {
        "method": "turn/completed",
        "params": {"threadId": "t-1", "turn": {"id": "u-1", "status": status, **more}},
    }


def test_greeting_and_thread_go_out_before_anything_is_answered() -> None:
    hello, greeted, thread = opening()
    assert hello["method"] == "initialize"
    assert "item/agentMessage/delta" in hello["params"]["capabilities"]["optOutNotificationMethods"]
    assert greeted == {"method": "initialized"}
    assert thread["method"] == "thread/start"
    assert thread["params"]["cwd"] == "/workspace"


@pytest.mark.parametrize(
    ("given", "asks", "sandbox"),
    [
        ({"contained": True}, "never", "danger-full-access"),
        ({"contained": True, "policy": ASKING}, "untrusted", "danger-full-access"),
        ({"contained": False}, "untrusted", "workspace-write"),
        ({"contained": False, "policy": PRESETS["full-access"]}, "never", "danger-full-access"),
    ],
)
def test_it_asks_where_the_policy_asks_and_is_its_own_sandbox_where_there_is_no_other(
    given: dict[str, Any], asks: str, sandbox: str
) -> None:
    thread = opening(**given)[-1]["params"]
    assert (thread["approvalPolicy"], thread["sandbox"]) == (asks, sandbox)


def test_the_goal_follows_once_the_thread_has_an_id() -> None:
    said = {"id": "thread", "result": {"thread": {"id": "t-1"}, "approvalPolicy": "untrusted"}}
    session, send = fed(said)
    assert session == SessionStarted("t-1")
    assert isinstance(send, Send)
    turn = json.loads(send.data)
    assert turn["params"] == {"threadId": "t-1", "input": [{"type": "text", "text": "say hello"}]}


def test_a_version_that_does_not_ask_is_ended_before_its_first_turn() -> None:
    said = {"id": "thread", "result": {"thread": {"id": "t-1"}, "approvalPolicy": "never"}}
    (seen,) = fed(said, policy=ASKING, contained=True)
    assert isinstance(seen, Unsafe)


def test_a_thread_that_cannot_be_resumed_names_no_session() -> None:
    error = {"id": "thread", "error": {"code": -32600, "message": "no rollout found"}}
    (ended,) = fed(error, resume=True, session_id="t-0")
    assert isinstance(ended, TurnEnded)
    assert ended.outcome is Outcome.FAILED
    assert "no rollout found" in str(ended.error)


def test_a_resumed_thread_is_named_and_its_permissions_repeated() -> None:
    thread = opening(resume=True, session_id="t-0", message="go on", contained=True)[-1]
    assert thread["method"] == "thread/resume"
    assert thread["params"] == {
        "threadId": "t-0",
        "cwd": "/workspace",
        "approvalPolicy": "never",
        "sandbox": "danger-full-access",
        "excludeTurns": True,
    }


def test_a_reply_is_a_turn_or_more_of_the_one_that_runs() -> None:
    reader = opened()
    reply = json.loads(codex.reply("and then?", reader.state()) or b"")
    assert reply["method"] == "turn/start"
    assert fed(reply, stream="stdin", reader=reader) == [Replied("and then?")]


def test_before_there_is_a_thread_nothing_can_be_said() -> None:
    assert codex.reply("too early", codex.reader(None, context()).state()) is None


def test_a_reply_behind_the_end_of_a_turn_keeps_the_agent_from_being_ended() -> None:
    reader = opened()
    fed(json.loads(codex.reply("more", reader.state()) or b""), stream="stdin", reader=reader)
    assert fed(turn_completed(), reader=reader) == []
    fed({"id": "reply", "result": {"turn": {"id": "u-2"}}}, reader=reader)
    again = {
        "method": "turn/completed",
        "params": {"threadId": "t-1", "turn": {"id": "u-2", "status": "completed"}},
    }
    (ended,) = fed(again, reader=reader)
    assert ended.outcome is Outcome.COMPLETED


def test_an_interrupt_names_the_turn_and_ends_its_commands() -> None:
    lines = [json.loads(line) for line in (codex.interrupt(opened().state()) or b"").splitlines()]
    assert [line["method"] for line in lines] == ["turn/interrupt", "thread/backgroundTerminals/clean"]
    assert lines[0]["params"] == {"threadId": "t-1", "turnId": "u-1"}
    assert codex.interrupt(codex.reader(None, context()).state()) is None


def test_a_command_it_asks_for_is_shown_as_a_person_would_type_it() -> None:
    commands = [seen.question.command for seen in seen_in("app-server", Asked) if seen.question.command]
    assert "echo escaped > /workspace/escaped.txt" in commands


def test_a_file_change_it_asks_for_is_joined_with_its_diff() -> None:
    edits = [seen.question for seen in seen_in("app-server", Asked) if seen.question.tool == "file_change"]
    assert [edit.input["changes"][0]["path"] for edit in edits] == [
        "/workspace/outside-z.txt",
        "/workspace/repo-as/untrusted.txt",
    ]
    assert edits[0].input["changes"][0]["diff"] == "z\n"


def test_its_questions_to_a_person_are_answered_by_their_ids() -> None:
    (asked, *_) = seen_in("app-server-ask-user", Asked)
    assert asked.question.choices[0]["question"] == "Which?"
    answer = codex.answer(
        allowed=True, note=None, updated_input={"answers": {"Which?": "Blue"}}, question=asked.question.input
    )
    assert answer == {"id": {"$original": "id"}, "result": {"answers": {"c": {"answers": ["Blue"]}}}}


def test_a_request_nobody_can_carry_out_is_refused_instead_of_left_open() -> None:
    send, _ = fed({"id": 7, "method": "item/tool/call", "params": {}})
    assert isinstance(send, Send)
    assert json.loads(send.data)["error"]["code"] == -32601


def test_calls_have_results_and_messages_are_prose() -> None:
    calls = {call.id for call in seen_in("app-server", ToolCall)}
    results = {result.id for result in seen_in("app-server", ToolResult)}
    assert results <= calls
    assert "hello.txt is written." in [said.text for said in seen_in("app-server", Said)]


def test_output_shown_while_a_command_ran_is_not_shown_again() -> None:
    reader = opened()
    item = {"type": "commandExecution", "id": "c-1", "command": "seq 2", "status": "completed", "exitCode": 0}
    about = {"threadId": "t-1", "itemId": "c-1"}
    delta = {"method": "item/commandExecution/outputDelta", "params": {**about, "delta": "1\n2\n"}}
    done = {"method": "item/completed", "params": {**about, "item": {**item, "aggregatedOutput": "1\n2\n"}}}
    first, last = fed(delta, done, reader=reader)
    assert (first.text, first.partial) == ("1\n2\n", True)
    assert (last.text, last.partial) == ("", False)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        ({"message": "limit", "codexErrorInfo": "usageLimitExceeded"}, Outcome.USAGE_LIMIT),
        (
            {"message": "no", "codexErrorInfo": {"httpConnectionFailed": {"httpStatusCode": 401}}},
            Outcome.LOGIN_MISSING,
        ),
        ({"message": "Missing environment variable: `K`.", "codexErrorInfo": "other"}, Outcome.LOGIN_MISSING),
        (
            {
                "message": "too many",
                "codexErrorInfo": {"responseTooManyFailedAttempts": {"httpStatusCode": 429}},
            },
            Outcome.OUTAGE,
        ),
        ({"message": "bad request", "codexErrorInfo": "other"}, Outcome.FAILED),
    ],
)
def test_a_failed_turn_says_what_kept_it(error: dict[str, Any], outcome: Outcome) -> None:
    (ended,) = fed(turn_completed("failed", error=error), reader=opened())
    assert ended.outcome is outcome
    assert error["message"] in ended.error


def test_a_usage_limit_says_when_it_is_lifted() -> None:
    reader = opened()
    window = {"usedPercent": 100, "resetsAt": 1_800_000_000, "windowDurationMins": 300}
    fed(
        {"method": "account/rateLimits/updated", "params": {"rateLimits": {"primary": window}}}, reader=reader
    )
    error = {"message": "limit", "codexErrorInfo": "usageLimitExceeded"}
    (ended,) = fed(turn_completed("failed", error=error), reader=reader)
    assert ended.resets_at == 1_800_000_000


def test_an_error_that_is_tried_again_holds_it_up_and_does_not_end_it() -> None:
    error = {"message": "Reconnecting... 1/5", "additionalDetails": "cut"}
    (seen,) = fed({"method": "error", "params": {"error": error, "willRetry": True}}, reader=opened())
    assert seen == Hindered("Reconnecting... 1/5 — cut")


def test_a_question_that_was_resolved_is_not_asked_any_more() -> None:
    asked = [seen.question.request for seen in seen_in("app-server", Asked)]
    withdrawn = [seen.request for seen in seen_in("app-server", Withdrawn)]
    assert asked == withdrawn


def test_a_turn_in_which_something_was_declined_ends_blocked_and_the_next_one_afresh() -> None:
    reader = opened()
    item = {"type": "commandExecution", "id": "c", "command": "touch no", "status": "declined"}
    fed({"method": "item/completed", "params": {"threadId": "t-1", "item": item}}, reader=reader)
    reader = codex.reader(reader.state(), context())
    (ended,) = fed(turn_completed(), reader=reader)
    assert ended.outcome is Outcome.BLOCKED
    fed({"method": "turn/started", "params": {"threadId": "t-1", "turn": {"id": "u-1"}}}, reader=reader)
    (ended,) = fed(turn_completed(), reader=reader)
    assert ended.outcome is Outcome.COMPLETED


def test_rules_granted_for_the_task_make_it_ask_from_the_next_start_or_turn_on() -> None:
    deny = {"tool": "Bash", "action": "deny"}
    asks = [
        opening(contained=True, granted_rules=[{**deny, "action": action}])[2]["params"]["approvalPolicy"]
        for action in ("allow", "deny")
    ]
    assert asks == ["never", "untrusted"]
    told = json.loads(codex.set_mode("ask", {"thread": "t-1"}) or b"")
    assert told["method"] == "thread/settings/update"
    assert told["params"] == {"threadId": "t-1", "approvalPolicy": "untrusted"}
    assert codex.set_mode("ask", None) is None
    assert codex.set_mode("live", {"thread": "t-1"}) is None, "nothing switches its questions off"


def test_what_nobody_decided_in_time_ends_the_turn_with_its_answer() -> None:
    assert codex.expire({"command": "touch a"}, "late")["result"] == {"decision": "cancel"}
    asked = {"questions": [{"id": "c", "question": "Which?"}]}
    assert codex.expire(asked, "late")["result"] == {"answers": {"c": {"answers": ["late"]}}}
