"""What the Claude adapter sees in recordings of the real program, and what it says to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared.errors import NotReady
from shared.policy import Policy
from workers.runners import claude
from workers.runners.conformance import context, observe
from workers.runners.observations import (
    Asked,
    Hindered,
    Noticed,
    Observation,
    Outcome,
    Planned,
    Replied,
    Said,
    SessionStarted,
    ToolCall,
    ToolResult,
    TurnEnded,
    Unsafe,
)

TRANSCRIPTS = Path(__file__).parents[2] / "agents/transcripts/claude-code"


def seen_in(name: str, kind: type) -> list:
    return [seen for seen in observe(claude, TRANSCRIPTS / f"{name}.jsonl") if isinstance(seen, kind)]


def fed(*items: dict[str, Any], **changes: Any) -> list[Observation]:
    return claude.reader(None, context(**changes)).feed("stdout", [json.dumps(item) for item in items])


def test_the_session_is_told_once_although_every_line_names_it() -> None:
    assert len(seen_in("claude-edit-accept", SessionStarted)) == 1


def test_each_tool_call_has_its_input_and_its_result() -> None:
    calls = seen_in("claude-edit-accept", ToolCall)
    results = seen_in("claude-edit-accept", ToolResult)
    assert {call.id for call in calls} == {result.id for result in results}
    assert all(call.input for call in calls)


def test_permission_questions_are_asked_with_the_tool_and_its_input() -> None:
    questions = [seen.question for seen in seen_in("claude-bidi-permission", Asked)]
    assert questions
    assert all(question.request and question.input for question in questions)
    assert any(question.tool == "Bash" and question.command for question in questions)


def test_a_question_to_the_person_carries_its_choices() -> None:
    questions = [seen.question for seen in seen_in("claude-bidi-ask-and-plan", Asked)]
    asked = next(question for question in questions if question.tool == "AskUserQuestion")
    assert asked.choices
    assert any(question.tool == "ExitPlanMode" for question in questions)


def test_a_denied_tool_leaves_the_turn_blocked_and_not_failed() -> None:
    assert [seen.outcome for seen in seen_in("claude-bash-accept-denied", TurnEnded)] == [Outcome.BLOCKED]


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("claude-e500-default-retries", Outcome.OUTAGE),
        ("claude-unreachable", Outcome.OUTAGE),
        ("claude-ratelimit-rejected", Outcome.OUTAGE),
        ("claude-nokey", Outcome.LOGIN_MISSING),
        ("claude-e401", Outcome.LOGIN_MISSING),
        ("claude-max-turns", Outcome.FAILED),
        ("claude-resume-unknown", Outcome.FAILED),
        ("claude-sigint-stream", Outcome.INTERRUPTED),
    ],
)
def test_a_turn_that_could_not_go_on_says_what_kept_it(name: str, outcome: Outcome) -> None:
    (ended,) = seen_in(name, TurnEnded)
    assert ended.outcome is outcome
    assert ended.error


def test_retries_hold_the_agent_up_and_do_not_end_it() -> None:
    assert len(seen_in("claude-e500-default-retries", Hindered)) == 10


def test_a_subscriptions_limit_says_when_it_is_lifted() -> None:
    limited = {"type": "result", "is_error": True, "result": "Claude AI usage limit reached|1800000000"}
    (ended,) = fed(limited)[1:]
    assert (ended.outcome, ended.resets_at) == (Outcome.USAGE_LIMIT, 1_800_000_000)


def test_a_rejected_rate_limit_event_names_the_time_before_the_turn_ends() -> None:
    event = {"type": "rate_limit_event", "rate_limit_info": {"status": "rejected", "resetsAt": 1_800_000_000}}
    (ended,) = fed(event, {"type": "result", "is_error": True, "api_error_status": 429, "result": "no"})[1:]
    assert (ended.outcome, ended.resets_at) == (Outcome.USAGE_LIMIT, 1_800_000_000)


def test_a_session_that_cannot_be_resumed_names_no_session() -> None:
    assert not seen_in("claude-resume-unknown", SessionStarted)


def test_the_agents_own_list_of_tasks_is_a_plan() -> None:
    plans = [list(seen.steps) for seen in seen_in("claude-todo", Planned)]
    assert plans == [[("Do it", "pending")], [("Do it", "in_progress")]]


def test_what_a_sub_agent_did_is_marked_with_the_call_that_started_it() -> None:
    calls = seen_in("claude-subagent", ToolCall)
    (started,) = [call for call in calls if call.name == "Agent"]
    assert [call.name for call in calls if call.parent == started.id] == ["Bash"]


def test_the_end_of_a_background_command_is_told() -> None:
    (told,) = seen_in("claude-background-bash", Noticed)
    assert "exit code 0" in told.text


ASKING = Policy(tool_rules=({"tool": "Read", "action": "ask"},))
INIT = {
    "type": "system",
    "subtype": "init",
    "permissionMode": "default",
    "tools": ["Bash", "AskUserQuestion"],
}


@pytest.mark.parametrize(
    ("init", "safe"),
    [
        (INIT, True),
        ({**INIT, "permissionMode": "plan"}, True),
        ({**INIT, "permissionMode": "bypassPermissions"}, False),
        ({**INIT, "permissionMode": "acceptEdits"}, False),
        ({**INIT, "tools": ["Bash"]}, False),
    ],
)
def test_a_program_that_would_not_ask_is_ended_before_its_first_call(
    init: dict[str, Any], safe: bool
) -> None:
    assert [isinstance(seen, Unsafe) for seen in fed(init, policy=ASKING)] == ([] if safe else [True])
    assert not fed({**init, "tools": []}, contained=True), (
        "where nothing needs to be asked, nothing is tested"
    )


def test_rules_that_ask_go_before_what_a_person_allows_everywhere() -> None:
    words = list(claude.start(context(policy=ASKING)).argv)
    settings = json.loads(words[words.index("--settings") + 1])
    assert {"Bash", "Edit", "Write", "Read"} <= set(settings["permissions"]["ask"])
    assert "--settings" not in claude.start(context(contained=True)).argv


def test_options_become_flags() -> None:
    servers = {"files": {"command": "serve", "args": ["--now"]}}
    options = {
        "mode": "plan",
        "model": "m",
        "effort": "high",
        "mcp_servers": servers,
        "arguments": ["--max-turns", "3"],
    }
    words = " ".join(claude.start(context(options=options, contained=True)).argv)
    assert "--permission-mode plan" in words
    assert "--model m --effort high" in words
    assert "--strict-mcp-config" in words
    assert words.index("--max-turns 3") < words.index("--session-id")


def test_one_shot_it_takes_its_goal_and_no_more_words() -> None:
    start = claude.start(context(options={"mode": "oneshot"}, contained=True))
    assert start.first_input == b"say hello"
    assert start.close_input
    state = claude.reader(None, context(options={"mode": "oneshot"})).state()
    assert claude.reply("more", state) is None
    with pytest.raises(NotReady, match="cannot ask"):
        claude.start(context(options={"mode": "oneshot"}, policy=ASKING))


def test_an_interrupted_turn_is_told_apart() -> None:
    assert Outcome.INTERRUPTED in [seen.outcome for seen in seen_in("claude-bidi-interrupt-tool", TurnEnded)]


def test_the_turn_is_not_over_while_a_background_command_runs() -> None:
    ended = seen_in("claude-background-bash", TurnEnded)
    assert len(ended) == 1


def test_the_goal_is_not_repeated_as_a_reply_but_what_follows_is() -> None:
    replies = seen_in("claude-bidi-queue", Replied)
    assert replies
    assert all(reply.text for reply in replies)


def test_prose_is_said_once_per_block() -> None:
    texts = [seen.text for seen in seen_in("claude-edit-accept", Said)]
    assert texts
    assert len(texts) == len(set(texts))


def test_the_first_attempt_takes_the_tasks_id_as_session_and_later_ones_their_own() -> None:
    first = claude.start(context())
    second = claude.start(context(attempt_number=2))
    assert first.session_id == context().task_id
    assert second.session_id == context().attempt_id


@pytest.mark.parametrize("goal", ["/help", "/clear now"])
def test_a_leading_slash_reaches_the_model_as_text(goal: str) -> None:
    message = json.loads(claude.start(context(goal=goal)).first_input)
    assert message["message"]["content"] == f"\n{goal}"


def test_an_allowed_call_keeps_its_original_input_and_takes_the_edits_over_it() -> None:
    reply = claude.answer(allowed=True, note=None, updated_input={"command": "ls"}, question={})
    assert reply is not None
    inner = reply["response"]["response"]
    assert inner == {"behavior": "allow", "updatedInput": {"$merge": ["request.input", {"command": "ls"}]}}


def test_a_denial_hands_its_reason_to_the_model() -> None:
    reply = claude.answer(allowed=False, note="not here", updated_input=None, question={})
    assert reply is not None
    assert reply["response"]["response"] == {"behavior": "deny", "message": "not here"}


def test_what_nobody_decided_in_time_ends_the_turn_with_its_answer() -> None:
    decision = claude.expire({"command": "touch a"}, "late")["response"]["response"]
    assert decision == {"behavior": "deny", "message": "late", "interrupt": True}
