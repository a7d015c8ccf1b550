"""What is told of Claude's and Codex's sessions: right counts, titles, times and parents, one entry each."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from shared.clock import from_micros, rfc3339
from tests.unit.sessions.conftest import SHAPES, Homes, write

SID = "37c5d418-910d-42ac-8f71-03f5c668c62c"
PARENT = "70ae21fb-7263-4aa7-a023-03610a52e61c"
CODEX = "01a204a3-0ed4-7061-b9aa-12345e945f90"


def claude_line(role: str, content: Any, **fields: Any) -> dict[str, Any]:
    id = {"id": fields.pop("id")} if "id" in fields else {}
    message = {"role": role, "content": content, **id}
    return {
        "type": role, "sessionId": SID, "cwd": "/w", "timestamp": "2026-05-14T10:00:00Z",
        "message": message, **fields,
    }  # fmt: skip


def text(said: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": said}]


def codex_line(kind: str, payload: dict[str, Any], at: str = "2026-05-14T10:00:00Z") -> dict[str, Any]:
    return {"timestamp": at, "type": kind, "payload": payload}


def item(role: str, said: str) -> dict[str, Any]:
    block = "input_text" if role == "user" else "output_text"
    content = [{"type": block, "text": said}]
    return codex_line("response_item", {"type": "message", "role": role, "content": content})


def meta(id: str = CODEX, **more: Any) -> dict[str, Any]:
    return codex_line("session_meta", {"id": id, "cwd": "/c", "timestamp": "2026-05-14T09:00:00Z", **more})


def test_recorded_sessions_of_claude_and_their_sub_agents(homes: Homes) -> None:
    project = homes.claude / "projects/-workspace-repo"
    project.mkdir(parents=True)
    shutil.copy(SHAPES / "claude/claude-edit-accept.jsonl", project / f"{SID}.jsonl")
    shutil.copy(SHAPES / "claude/claude-subagent.jsonl", project / f"{PARENT}.jsonl")
    shutil.copytree(SHAPES / "claude/subagents", project / PARENT / "subagents")
    found = homes.found()
    assert set(found) == {SID, PARENT, "agent-ae12d46892030b31e"}
    one = found[SID]
    assert (one.message_count, one.title, one.workspace) == (4, "[[scenario:edit]]", "/workspace/repo")
    assert (one.runner, one.source) == ("claude-code", "claude-project-jsonl")
    assert one.created_at < one.updated_at
    assert found[PARENT].message_count == 3
    agent = found["agent-ae12d46892030b31e"]
    assert (agent.title, agent.parent_id, agent.message_count) == ("Look around", PARENT, 3)
    assert agent.source == "claude-subagent-jsonl"


def test_recorded_sessions_of_codex(homes: Homes) -> None:
    day = homes.codex / "sessions/2026/11/22"
    day.mkdir(parents=True)
    shutil.copy(SHAPES / "codex/codex-bash.jsonl", day / f"rollout-2026-11-22T19-02-04-{CODEX}.jsonl")
    shutil.copy(SHAPES / "codex/codex-e429.jsonl", day / "rollout-x.jsonl")
    found = homes.found()
    one = found[CODEX]
    assert (one.message_count, one.title, one.workspace) == (3, "[[scenario:bash]]", "/workspace/repo-x")
    assert one.last_message.startswith("The command printed:")
    assert len(found) == 2


def test_each_message_of_codex_counts_once_whatever_its_forms(homes: Homes) -> None:
    event = {"type": "user_message", "message": "hello"}
    answer = {"type": "agent_message", "message": "hi"}
    path = homes.codex / f"sessions/rollout-{CODEX}.jsonl"
    lines = [
        meta(),
        item("user", "<environment_context>x"),
        item("developer", "be nice"),
        item("user", "hello"),
    ]
    write(
        path, *lines, codex_line("event_msg", event), item("assistant", "hi"), codex_line("event_msg", answer)
    )
    assert homes.found()[CODEX].message_count == 2
    write(path, meta(), codex_line("event_msg", event), codex_line("event_msg", answer))
    assert homes.found()[CODEX].message_count == 2


def test_each_message_of_claude_counts_once_and_results_are_not_messages(homes: Homes) -> None:
    write(
        homes.claude / f"projects/-w/{SID}.jsonl",
        claude_line("user", "caveat", isMeta=True),
        claude_line("user", "<command-name>/clear</command-name>"),
        claude_line("user", "do it"),
        claude_line("assistant", [{"type": "thinking", "thinking": "hm"}], id="m1"),
        claude_line("assistant", text("first"), id="m1"),
        claude_line("assistant", [{"type": "tool_use", "name": "Bash", "input": {}}], id="m1"),
        claude_line("user", [{"type": "tool_result", "content": "out"}]),
        claude_line("assistant", text("more"), id="m1"),
        claude_line("assistant", text("done"), id="m2"),
        claude_line("assistant", text("of another"), id="m3", isSidechain=True),
    )
    one = homes.found()[SID]
    assert (one.message_count, one.last_message, one.title) == (3, "done", "do it")


@pytest.mark.parametrize(
    ("lines", "title"),
    [
        ([{"type": "last-prompt", "lastPrompt": "last"}], "first"),
        ([{"type": "summary", "summary": "sum"}], "sum"),
        ([{"type": "ai-title", "aiTitle": "one"}, {"type": "ai-title", "aiTitle": "two"}], "two"),
        ([{"type": "custom-title", "customTitle": "mine"}, {"type": "ai-title", "aiTitle": "ai"}], "mine"),
    ],
)
def test_a_session_of_claude_has_the_best_title_there_is(
    homes: Homes, lines: list[dict[str, Any]], title: str
) -> None:
    write(homes.claude / f"projects/-w/{SID}.jsonl", claude_line("user", "first"), *lines)
    assert homes.found()[SID].title == title


def test_codex_names_come_from_its_index_and_entries_without_a_transcript_are_listed(homes: Homes) -> None:
    path = homes.codex / f"sessions/2026/05/14/rollout-2026-05-14T09-00-00-{CODEX}.jsonl"
    write(path, meta(), item("user", "hello"))
    only = {"id": "only", "thread_name": "Only named", "updated_at": "2026-05-15T00:00:00Z"}
    named = {"id": CODEX, "thread_name": "Named", "updated_at": "2026-05-16T00:00:00.123456789Z"}
    index = write(homes.codex / "session_index.jsonl", only, {"id": CODEX, "thread_name": "Old"}, named)
    found = homes.found()
    assert list(found) == [CODEX, "only"]
    assert (found[CODEX].title, found[CODEX].source) == ("Named", "codex-jsonl")
    assert rfc3339(from_micros(found[CODEX].updated_at)) == "2026-05-16T00:00:00.123456Z"
    assert (found["only"].source, found["only"].message_count) == ("codex-session-index", 0)
    write(index, {**named, "thread_name": "Renamed"})
    found = homes.found()
    assert {id: row.title for id, row in found.items()} == {CODEX: "Renamed"}


def test_a_session_in_two_folders_is_one_entry(homes: Homes) -> None:
    name = f"rollout-2026-05-14T09-00-00-{CODEX}.jsonl"
    write(homes.codex / "archived_sessions" / name, meta(), item("user", "old"))
    later = codex_line("event_msg", {"type": "agent_message", "message": "new"}, "2026-06-01T00:00:00Z")
    write(homes.codex / "sessions" / name, meta(), item("user", "old"), later)
    found = homes.found()
    assert [row.message_count for row in found.values()] == [2]
    (homes.codex / "sessions" / name).unlink()
    assert [row.message_count for row in homes.found().values()] == [1]


def test_the_homes_of_tasks_that_have_one_of_their_own_are_looked_through_too(homes: Homes) -> None:
    name = f"rollout-2026-05-14T09-00-00-{CODEX}.jsonl"
    write(homes.private / "task-1/codex/sessions" / name, meta(), item("user", "mine"))
    write(homes.private / f"task-2/claude-code/projects/-w/{SID}.jsonl", claude_line("user", "mine too"))
    assert set(homes.found()) == {CODEX, SID}


def test_an_older_versions_sub_agent_beside_its_session_is_not_the_session(homes: Homes) -> None:
    write(homes.claude / f"projects/-w/{SID}.jsonl", claude_line("user", "main"))
    write(
        homes.claude / "projects/-w/agent-abc.jsonl",
        claude_line("user", "side", isSidechain=True, agentId="abc"),
    )
    found = homes.found()
    assert {id: row.source for id, row in found.items()} == {
        SID: "claude-project-jsonl",
        "agent-abc": "claude-subagent-jsonl",
    }
