"""What the Codex adapter sees in recordings of the real program when it runs one turn and ends."""

from __future__ import annotations

from pathlib import Path

from workers.runners import codex
from workers.runners.conformance import context, observe
from workers.runners.observations import Outcome, Said, SessionStarted, ToolCall, ToolResult, TurnEnded

TRANSCRIPTS = Path(__file__).parents[2] / "agents/transcripts/codex-oneshot"
ONESHOT = {"mode": "oneshot"}


def seen_in(name: str, kind: type) -> list:
    seen_all = observe(codex, TRANSCRIPTS / f"{name}.jsonl", options=ONESHOT)
    return [seen for seen in seen_all if isinstance(seen, kind)]


def test_the_thread_is_the_session() -> None:
    (session,) = seen_in("codex-bash", SessionStarted)
    assert len(session.session_id) == 36


def test_a_command_is_a_call_with_its_result() -> None:
    calls, results = seen_in("codex-bash", ToolCall), seen_in("codex-bash", ToolResult)
    assert [call.id for call in calls] == [result.id for result in results]


def test_what_the_agent_says_is_prose() -> None:
    assert seen_in("codex-bash", Said)


def test_a_failed_turn_says_why() -> None:
    (ended,) = seen_in("codex-e429", TurnEnded)
    assert ended.outcome in (Outcome.FAILED, Outcome.OUTAGE)
    assert "429" in ended.error


def test_inside_containment_it_is_told_not_to_nest_its_own_sandbox() -> None:
    assert (
        "--dangerously-bypass-approvals-and-sandbox"
        in codex.start(context(contained=True, options=ONESHOT)).argv
    )
    assert "workspace-write" in codex.start(context(contained=False, options=ONESHOT)).argv
