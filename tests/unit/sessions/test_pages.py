"""Pages of transcripts: what they tell, in order and whole, whatever stands in the files and wherever they lie."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from shared.agents.transcripts import Asked
from shared.secrets.redaction import Redactor
from tests.unit.sessions.conftest import SHAPES, append, write
from tests.unit.sessions.test_stores import SID, claude_line, codex_line, item, text
from workers import transcripts
from workers.sessions import lines, pages

Entry = dict[str, Any]
TOKEN = "ghp_" + "a1B2" * 9


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def page(
    home: Path, path: Path, *, start: str | None = None, before: str | None = None, limit: int = 100
) -> dict[str, Any]:
    runner = "codex" if "rollout" in path.name else "claude-code"
    environment = {"CLAUDE_CONFIG_DIR": str(home), "CODEX_HOME": str(home)}
    asked = Asked(runner, str(path), start, before, limit)
    return transcripts.read(asked, environment, home.parent / "homes", Redactor(), lambda: False)


def whole(home: Path, path: Path, limit: int = 100) -> list[Entry]:
    """Every entry, by following `next`."""
    found, start = [], "0"
    while start:
        got = page(home, path, start=start, limit=limit)
        assert len(got["entries"]) <= limit
        found += got["entries"]
        start = got["next"]
    return found


def backwards(home: Path, path: Path, limit: int) -> list[Entry]:
    """Every entry, by following `previous` from the end."""
    found: list[Entry] = []
    before = "end"
    while before:
        got = page(home, path, before=before, limit=limit)
        found = got["entries"] + found
        before = got["previous"]
    return found


def told(entries: list[Entry]) -> list[tuple[str, str]]:
    return [(str(entry["metadata"].get("category")), entry["message"]) for entry in entries]


def claude(home: Path, *given: Any, folder: str = "-w", name: str = SID) -> Path:
    return write(home / f"projects/{folder}/{name}.jsonl", *given)


def held(home: Path, shape: str, place: str) -> Path:
    path = home / place
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(SHAPES / shape, path)
    return path


# What is told


def test_a_recording_of_claude_is_told_as_the_timeline_tells_it(home: Path) -> None:
    entries = whole(home, held(home, "claude/claude-edit-accept.jsonl", f"projects/-w/{SID}.jsonl"))
    categories = [category for category, _ in told(entries)]
    assert categories[0] == "reply"
    calls = [entry["metadata"] for entry in entries if entry["metadata"].get("category") == "tool-call"]
    results = [entry["metadata"] for entry in entries if entry["metadata"].get("category") == "tool-result"]
    assert [call["tool"] for call in calls] == ["Write", "Edit"]
    assert [call["tool_use_id"] for call in calls] == [result["tool_use_id"] for result in results]
    assert categories[-1] == "agent-message"
    assert all(entry["created_at"].startswith("2026-11-22T") for entry in entries)


def test_a_sub_agent_was_told_by_the_agent_that_began_it(home: Path) -> None:
    place = "projects/-w/70ae21fb-7263-4aa7-a023-03610a52e61c/subagents/agent-ae12d46892030b31e.jsonl"
    entries = whole(home, held(home, "claude/subagents/agent-ae12d46892030b31e.jsonl", place))
    assert (entries[0]["kind"], entries[0]["metadata"]["by"]) == ("input", "agent")
    assert told(entries)[-1] == ("agent-message", "The command printed: hello\nLinux")


def test_a_recording_of_codex_is_told_once_with_its_call_and_what_it_printed(home: Path) -> None:
    entries = whole(home, held(home, "codex/codex-bash.jsonl", "sessions/2026/11/22/rollout-x.jsonl"))
    said = [(category, message) for category, message in told(entries) if category != "runner-output"]
    assert said[0][0] == "reply"
    assert ("tool-call", "echo hello; uname -s") in said
    assert ("tool-result", "hello\nLinux\n") in said
    assert [category for category, _ in said].count("agent-message") == 2


def test_what_programs_write_in_a_persons_name_is_no_word_of_theirs(home: Path) -> None:
    path = claude(
        home,
        claude_line("user", "<system-reminder>\nmind the tests\n</system-reminder>"),
        claude_line("user", "a summary", isCompactSummary=True),
        claude_line("user", "mine"),
        claude_line("user", "of an old sub-agent", isSidechain=True),
    )
    assert [category for category, _ in told(whole(home, path))] == [
        "runner-output",
        "runner-output",
        "reply",
    ]


def test_codex_calls_of_every_form_have_a_title_and_failures_are_told(home: Path) -> None:
    def call(kind: str, **about: Any) -> dict[str, Any]:
        return codex_line("response_item", {"type": kind, "call_id": "c", **about})

    path = write(
        home / "sessions/rollout-1.jsonl",
        call("function_call", name="shell", arguments=json.dumps({"command": ["bash", "-lc", "make me"]})),
        call("function_call_output", output="Chunk ID: 1\nProcess exited with code 2\nOutput:\nno rule\n"),
        call("custom_tool_call", name="apply_patch", input="*** Begin Patch\n*** Add File: a.txt\n+a"),
        call("custom_tool_call_output", output="Exit code: 0\nOutput:\nExit code: 1 is what it said\n"),
        call("local_shell_call", action={"type": "exec", "command": ["ls", "-l"]}),
        call("web_search_call", action={"type": "search", "query": "rerere"}),
        call("function_call", name="odd", arguments="[not an object"),
        item("assistant", "Done."),
        item("developer", "Obey."),
        codex_line("event_msg", {"type": "turn_aborted", "reason": "interrupted"}),
        codex_line("event_msg", {"type": "agent_message", "message": "Done."}),
    )
    entries = whole(home, path)
    assert [message for _, message in told(entries)] == [
        "make me", "no rule\n", "apply_patch a.txt", "Exit code: 1 is what it said\n", "ls -l",
        "web_search rerere", "odd", "Done.", "The turn was interrupted",
    ]  # fmt: skip
    assert [e["metadata"]["failed"] for e in entries if e["metadata"].get("category") == "tool-result"] == [
        True,
        False,
    ]


# Pages


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_lose_and_double_nothing_in_either_direction(home: Path, limit: int) -> None:
    given = [
        claude_line("assistant", [*text(f"one {number}"), *text(f"two {number}")]) for number in range(10)
    ]
    path = claude(home, *given)
    wanted = [f"{word} {number}" for number in range(10) for word in ("one", "two")]
    assert [message for _, message in told(whole(home, path, limit))] == wanted
    assert [message for _, message in told(backwards(home, path, limit))] == wanted
    first = page(home, path, limit=limit)
    assert first["previous"] is None
    assert page(home, path, before="end", limit=limit)["next"] is None


def test_a_page_of_long_texts_ends_early_and_the_next_goes_on_within_the_line(home: Path) -> None:
    long = "漢" * (pages.PAGE_CHARACTERS + 1000)
    path = claude(home, claude_line("assistant", text(long)), claude_line("user", "after"))
    got = page(home, path)
    assert got["next"].startswith("0.")
    assert sum(len(entry["message"]) for entry in got["entries"]) <= pages.PAGE_CHARACTERS
    entries = whole(home, path)
    assert "".join(entry["message"] for entry in entries[:-1]) == long
    assert [entry["message"] for entry in backwards(home, path, 100)] == [e["message"] for e in entries]


def test_a_line_that_is_too_long_is_said_to_be_left_out(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LINE_BYTES", 600_000)
    monkeypatch.setattr(pages, "SCAN_BYTES", 700_000)
    monkeypatch.setattr(pages, "END_BYTES", (1_000, 650_000))
    path = claude(
        home, claude_line("user", "a"), claude_line("user", "x" * 2_000_000), claude_line("user", "b")
    )
    found = told(whole(home, path))
    assert [message for category, message in found if category == "reply"] == ["a", "b"]
    assert "gap" in {category for category, _ in found}
    assert [message for category, message in told(backwards(home, path, 10)) if category == "reply"] == ["a", "b"]  # fmt: skip


def test_a_line_being_written_is_told_once_it_is_whole(home: Path) -> None:
    path = claude(home, claude_line("user", "first"), b'{"type": "user", "mess')
    assert [message for _, message in told(whole(home, path))] == ["first"]
    append(path, b'age": {"content": "second"}}')
    assert [message for _, message in told(whole(home, path))] == ["first", "second"]


def test_a_place_of_an_older_file_shows_what_stands_there_now(home: Path) -> None:
    path = claude(home, claude_line("user", "first"), claude_line("user", "second"))
    assert told(page(home, path, start="3")["entries"])[-1] == ("reply", "second")
    assert page(home, path, start="999999.5")["entries"] == []
    assert page(home, path, before="999999")["entries"] != []


def test_nothing_in_a_file_can_stop_the_reading(home: Path) -> None:
    path = claude(
        home,
        claude_line("user", "first"),
        b"\xff\xfe\n",
        b"[" * 50_000 + b"\n",
        b'{"type": "user", "message": ' + b"[" * 900 + b"]" * 900 + b"}\n",
        b"[1]\n",
        b'{"type": "user", "message": {"content": "\\ud800 half"}, "timestamp": 7}\n',
        claude_line("assistant", [None, 7, {"type": "tool_use"}, {"type": "text", "text": 7}]),
        claude_line("user", [{"type": "tool_result", "content": 7}]),
        {"type": "user", "message": "text"},
        claude_line("user", "last"),
    )
    messages = [message for _, message in told(whole(home, path))]
    assert (messages[0], messages[-1]) == ("first", "last")


# Where it lies, and what is kept back


def test_secrets_are_masked_wherever_they_stand(home: Path) -> None:
    called = {"type": "tool_use", "id": "t", "name": "Bash", "input": {"command": f"curl -H {TOKEN}"}}
    given = {"type": "tool_result", "tool_use_id": "t", "content": f"got {TOKEN}"}
    path = claude(
        home, claude_line("user", f"use {TOKEN}"), claude_line("assistant", [called]), claude_line("user", [given])
    )  # fmt: skip
    entries = whole(home, path)
    assert len(entries) == 3
    assert TOKEN not in json.dumps(entries)


def test_a_link_out_of_the_agents_home_is_not_followed(home: Path, tmp_path: Path) -> None:
    outside = write(tmp_path / "elsewhere/secret.jsonl", claude_line("user", "not for you"))
    path = claude(home, claude_line("user", "fine"))
    (path.parent / "out.jsonl").symlink_to(outside)
    (home / "projects/away").symlink_to(outside.parent)
    for name in (path.parent / "out.jsonl", home / "projects/away/secret.jsonl", outside):
        with pytest.raises(OSError):
            page(home, name)
    (path.parent / "in.jsonl").symlink_to(path)
    assert len(page(home, path.parent / "in.jsonl")["entries"]) == 1


def test_a_home_that_is_itself_a_link_and_a_tasks_own_home_are_read(home: Path, tmp_path: Path) -> None:
    claude(tmp_path / "real", claude_line("user", "fine"))
    home.symlink_to(tmp_path / "real")
    assert len(page(home, home / f"projects/-w/{SID}.jsonl")["entries"]) == 1
    private = claude(tmp_path / "homes/some-task/claude-code", claude_line("user", "fine"))
    assert len(page(home, private)["entries"]) == 1


def test_a_pipe_or_a_folder_in_its_place_is_refused(home: Path) -> None:
    path = claude(home, claude_line("user", "fine"))
    os.mkfifo(path.parent / "pipe.jsonl")
    (path.parent / "folder.jsonl").mkdir()
    for name in ("pipe.jsonl", "folder.jsonl", "gone.jsonl"):
        with pytest.raises(OSError):
            page(home, path.parent / name)
