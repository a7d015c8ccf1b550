"""What agents' own files say they used: each call once, sub-agents too, and only since the attempt began."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.clock import rfc3339
from shared.costs.spending import summed
from tests.unit.sessions.conftest import SHAPES, append, write
from workers.sessions import usage

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
TRANSCRIPTS = SHAPES.parent / "transcripts/claude-code"
SESSION = "70ae21fb-7263-4aa7-a023-03610a52e61c"
THREAD = "01a204a3-0ed4-7061-b9aa-12345e945f90"


def claude_home(home: Path, *, cwd: str = "/workspace/repo", session: str = SESSION) -> Path:
    """A store with the recorded session and its sub-agent."""
    project = home / "projects" / cwd.replace("/", "-")
    write(project / f"{session}.jsonl", (SHAPES / "claude/claude-subagent.jsonl").read_bytes())
    for file in (SHAPES / "claude/subagents").glob("*.jsonl"):
        write(project / session / "subagents" / file.name, file.read_bytes())
    return project / f"{session}.jsonl"


def of_claude(home: Path, since: datetime = LONG_AGO, cwd: str = "/workspace/repo") -> Any:
    return usage.usage_of("claude-code", {"CLAUDE_CONFIG_DIR": str(home)}, SESSION, cwd, since)


def of_codex(home: Path, since: datetime = LONG_AGO, thread: str = THREAD) -> Any:
    return usage.usage_of("codex", {"CODEX_HOME": str(home)}, thread, "/anywhere", since)


def call(id: str, at: datetime, tokens: int = 100, **fields: Any) -> dict[str, Any]:
    message = {"id": id, "model": "claude-opus-4-8", "usage": {"input_tokens": tokens, "output_tokens": 2}}
    return {"type": "assistant", "timestamp": rfc3339(at), "message": {**message, **fields}}


def test_a_session_with_a_sub_agent_equals_what_its_program_reported(tmp_path: Path) -> None:
    claude_home(tmp_path)
    told = [json.loads(line) for line in (TRANSCRIPTS / "claude-subagent.jsonl").read_text().splitlines()]
    (reported,) = [item["modelUsage"] for item in told if item["type"] == "result"]
    (use,) = reported.values()
    found = of_claude(tmp_path)["claude-opus-4-8"]
    assert found["input_tokens"] == use["inputTokens"] + use["cacheReadInputTokens"]
    assert (found["cached_tokens"], found["output_tokens"]) == (
        use["cacheReadInputTokens"],
        use["outputTokens"],
    )


def test_a_message_on_many_lines_counts_once_by_its_last_usage(tmp_path: Path) -> None:
    path = claude_home(tmp_path)
    at = datetime(2026, 11, 23, tzinfo=UTC)
    last = call("m", at, 100, usage={"input_tokens": 100, "output_tokens": 40})
    write(path, call("m", at), call("m", at), last, call("error", at, model="<synthetic>"))
    found = of_claude(tmp_path, at)["claude-opus-4-8"]
    assert (found["input_tokens"], found["output_tokens"]) == (100, 40)


def test_only_what_came_since_the_attempt_began_counts(tmp_path: Path) -> None:
    path = claude_home(tmp_path)
    began = datetime(2026, 11, 24, tzinfo=UTC)
    append(path, call("before", began - timedelta(seconds=1)), call("after", began + timedelta(seconds=1), 7))
    assert of_claude(tmp_path, began)["claude-opus-4-8"]["input_tokens"] == 7


def test_a_session_that_lies_in_another_project_is_found(tmp_path: Path) -> None:
    claude_home(tmp_path, cwd="/somewhere/else")
    assert of_claude(tmp_path)["claude-opus-4-8"]["input_tokens"] > 0


@pytest.mark.parametrize("junk", [b"{", b"null\n", b'{"type":"assistant","message":7}\n', b"\xff\xfe\n",
                                  b'{"type":"assistant","message":{"usage":{"input_tokens":"x"}}}\n',
                                  b'{"a":"' + b"x" * 5_000_000 + b'"}\n'])  # fmt: skip
def test_broken_and_huge_lines_do_no_harm(tmp_path: Path, junk: bytes) -> None:
    path = claude_home(tmp_path)
    before = of_claude(tmp_path)
    write(path, junk, path.read_bytes())
    if not junk.endswith(b"\n"):
        path.write_bytes(path.read_bytes() + b"\n" + junk)
    assert summed(of_claude(tmp_path).values()) == summed(before.values())


def test_the_records_of_a_rollout_are_its_calls(tmp_path: Path) -> None:
    rollout = tmp_path / f"sessions/2026/11/22/rollout-2026-11-22T19-02-04-{THREAD}.jsonl"
    write(rollout, (SHAPES / "codex/codex-bash.jsonl").read_bytes())
    assert of_codex(tmp_path) == {
        "gpt-5.5": {"input_tokens": 2100, "cached_tokens": 900, "cache_write_tokens": 0, "output_tokens": 50,
                    "reasoning_tokens": 0},
    }  # fmt: skip
    assert (
        of_codex(tmp_path, datetime(2026, 11, 22, 19, 2, 4, 900_000, tzinfo=UTC))["gpt-5.5"]["input_tokens"]
        == 1100
    )
    assert of_codex(tmp_path, datetime(2026, 11, 23, tzinfo=UTC)) == {}


def test_an_older_rollout_without_records_is_counted_by_its_totals(tmp_path: Path) -> None:
    lines = [json.loads(line) for line in (SHAPES / "codex/codex-bash.jsonl").read_text().splitlines()]
    kept = [line for line in lines if line["type"] != "token_usage_record"]
    again = [line for line in kept for _ in range(2 if "token_count" in json.dumps(line) else 1)]
    write(tmp_path / f"archived_sessions/rollout-2026-11-22T19-02-04-{THREAD}.jsonl", *again)
    found = of_codex(tmp_path)["gpt-5.5"]
    assert (found["input_tokens"], found["cached_tokens"], found["output_tokens"]) == (2100, 900, 50)


def test_a_sub_agents_rollout_belongs_to_its_session(tmp_path: Path) -> None:
    day = tmp_path / f"sessions/{datetime.now(UTC):%Y/%m/%d}"
    began = datetime.now(UTC) - timedelta(seconds=5)
    for id, session in ((THREAD, THREAD), ("child", THREAD), ("other", "other")):
        record = {"usage": {"input_tokens": 10}, "response_id": f"r-{id}"}
        now = rfc3339(datetime.now(UTC))
        write(
            day / f"rollout-x-{id}.jsonl",
            {"type": "session_meta", "timestamp": now, "payload": {"id": id, "session_id": session}},
            {"type": "turn_context", "timestamp": now, "payload": {"model": f"model-of-{id}"}},
            {"type": "token_usage_record", "timestamp": now, "payload": record},
        )
    assert set(of_codex(tmp_path, began)) == {f"model-of-{THREAD}", "model-of-child"}


@pytest.mark.parametrize("session", ["../../etc", "..", ".hidden", "none", "*", "a/b", "x" * 300])
def test_no_file_and_no_strange_name_give_nothing(tmp_path: Path, session: str) -> None:
    for runner, variable in (("claude-code", "CLAUDE_CONFIG_DIR"), ("codex", "CODEX_HOME"), ("shell", "X")):
        assert usage.usage_of(runner, {variable: str(tmp_path)}, session, "/", LONG_AGO) is None


def test_a_huge_session_is_read_up_to_a_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = claude_home(tmp_path)
    at = datetime.now(UTC)
    with path.open("ab") as file:
        for number in range(20_000):
            file.write(json.dumps(call(f"m{number}", at)).encode() + b"\n")
    monkeypatch.setattr(usage, "SECONDS", 0.0)
    began = time.monotonic()
    assert of_claude(tmp_path) == {}
    write(
        tmp_path / f"sessions/2026/11/22/rollout-x-{THREAD}.jsonl",
        (SHAPES / "codex/codex-bash.jsonl").read_bytes(),
    )
    assert of_codex(tmp_path) is None, "half a thread would replace what was reported"
    assert time.monotonic() - began < 1
