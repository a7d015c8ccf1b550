"""What the Claude adapter sees in recordings of the real program, and what it says to it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from workers.runners import claude
from workers.runners.conformance import context, observe
from workers.runners.observations import (
    Asked,
    Noticed,
    Outcome,
    Replied,
    Said,
    SessionStarted,
    ToolCall,
    ToolResult,
    TurnEnded,
)

TRANSCRIPTS = Path(__file__).parents[2] / "agents/transcripts/claude-code"


def seen_in(name: str, kind: type) -> list:
    return [seen for seen in observe(claude, TRANSCRIPTS / f"{name}.jsonl") if isinstance(seen, kind)]


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


def test_an_api_error_is_a_failure_although_its_subtype_says_success() -> None:
    ended = seen_in("claude-e500-default-retries", TurnEnded)
    assert [seen.outcome for seen in ended] == [Outcome.FAILED]
    assert seen_in("claude-e500-default-retries", Noticed)


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
