"""Reading is incremental, bounded and calm about whatever stands in the files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from shared.agents import sessions
from shared.store.models import AgentSession
from tests.unit.sessions.conftest import Homes, append, write
from tests.unit.sessions.test_stores import SID, claude_line
from workers.sessions import lines
from workers.sessions.lines import Place


@pytest.fixture
def path(homes: Homes) -> Path:
    return write(homes.claude / f"projects/-w/{SID}.jsonl", claude_line("user", "first"))


def read(path: Path, place: Place = Place()) -> tuple[list[object], Place]:  # noqa: B008
    found: list[object] = []
    return found, lines.read(str(path), place, lambda line: found.append(line["n"]), lambda: False)


def test_only_what_is_new_in_a_file_is_read(
    homes: Homes, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    homes.look()
    places = []
    read_on = lines.read

    def watched(name: str, place: Place, *rest: object) -> Place:
        places.append(place.offset)
        return read_on(name, place, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(lines, "read", watched)
    homes.look()
    assert places == []
    size = path.stat().st_size
    append(path, claude_line("assistant", "answer", id="m"))
    assert homes.found()[SID].message_count == 2
    assert places == [size]


def test_a_rewritten_file_is_read_anew(homes: Homes, path: Path) -> None:
    homes.look()
    write(path, claude_line("user", "other"), claude_line("user", "words"), claude_line("user", "now"))
    assert homes.found()[SID].message_count == 3
    write(path, claude_line("user", "short"))
    assert homes.found()[SID].message_count == 1


def test_a_line_being_written_counts_once_it_is_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "f", b'{"n": 1}\n{"n": 2')
    assert read(path) == ([1], Place(9, read(path)[1].check))
    append(path, b"}")
    found, place = read(path)
    assert (found, place.offset) == ([1, 2], 17)
    append(path, b'\n{"n": 3}\n')
    assert read(path, place)[0] == [3]


@pytest.mark.parametrize("size", range(lines.CHUNK_BYTES - 4, lines.CHUNK_BYTES + 5))
def test_a_character_at_the_border_of_a_chunk_is_whole(tmp_path: Path, size: int) -> None:
    filler = "x" * (size - len('{"n": ""}\n') - 6)
    path = write(tmp_path / "f", {"n": filler + "漢字"}, {"n": "終"})
    assert read(path)[0] == [filler + "漢字", "終"]


def test_nothing_in_a_file_can_stop_the_reading(tmp_path: Path) -> None:
    deep = b"[" * 100_000 + b"\n"
    long = b'{"n": "' + b"x" * (lines.LINE_BYTES + lines.CHUNK_BYTES) + b'"}\n'
    wrong = [b"\xff\xfe\n", b"nonsense\n", b"[1]\n", b"null\n", deep, long, b'{"n": "\xff"}\n', b"\n"]
    path = write(tmp_path / "f", {"n": 1}, *wrong, {"n": 2})
    assert read(path)[0] == [1, "\ufffd", 2]


def test_odd_values_do_no_harm(homes: Homes, path: Path) -> None:
    append(
        path,
        b'{"type": "user", "message": {"content": "\\ud800 lone \\u0000 nul"}, "timestamp": 7, "cwd": ["x"]}\n',
        claude_line("assistant", 7, id=["x"]),
        claude_line("assistant", [None, {"type": "text", "text": 7}]),
        {"type": "ai-title", "aiTitle": {"a": 1}},
        {"type": "user", "message": "text"},
        claude_line("user", "late", timestamp="9999-99-99T00:00:00Z"),
    )
    one = homes.found()[SID]
    assert (one.message_count, one.last_message, one.title) == (3, "late", "first")


def test_secrets_are_not_kept(homes: Homes, path: Path) -> None:
    token = "ghp_" + "a1B2" * 9
    append(
        path, claude_line("user", f"use {token} please"), {"type": "ai-title", "aiTitle": f"about {token}"}
    )
    homes.look()
    row = AgentSession.get(AgentSession.session_id == SID)
    assert token not in f"{row.title} {row.last_message} {row.reader}"
    assert row.last_message.startswith("use ")


def test_a_long_message_is_cut_to_one_line(homes: Homes, path: Path) -> None:
    append(path, claude_line("user", "漢\n\t字 " * 500))
    said = homes.found()[SID].last_message
    assert (len(said), said.endswith("..."), "\n" in said) == (223, True, False)


def test_loops_of_links_pipes_and_closed_folders_are_passed_by(homes: Homes, path: Path) -> None:
    projects = homes.claude / "projects"
    (projects / "-w/loop").symlink_to(projects)
    (projects / "again").symlink_to(projects / "-w")
    (projects / "-w/link.jsonl").symlink_to(path)
    (projects / "-w/gone.jsonl").symlink_to("nowhere")
    os.mkfifo(projects / "-w/pipe.jsonl")
    os.close(os.open(os.fsencode(projects) + b"/\xff.jsonl", os.O_CREAT | os.O_WRONLY))
    assert list(homes.found()) == [SID]
    assert AgentSession.select().count() == 1


def test_what_is_gone_leaves_the_list(homes: Homes, path: Path) -> None:
    assert list(homes.found()) == [SID]
    path.unlink()
    assert homes.found() == {}
    assert AgentSession.select().count() == 0


def test_a_look_that_is_interrupted_says_nothing_about_what_it_did_not_see(homes: Homes, path: Path) -> None:
    homes.look()
    asked = sessions.stores()["claude-code"].indexed_at
    with pytest.raises(lines.Interrupted):
        homes.look(stopping=lambda: True)
    assert sessions.stores()["claude-code"].indexed_at == asked
    assert AgentSession.select().count() == 1


def test_what_a_look_read_before_it_was_cut_off_is_shown_by_the_next(
    homes: Homes, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off() -> None:
        raise lines.Interrupted

    with monkeypatch.context() as patched:
        patched.setattr(sessions, "choose", cut_off)
        with pytest.raises(lines.Interrupted):
            homes.look()
    assert list(homes.found()) == [SID]


def test_a_home_that_is_not_there_is_an_empty_store(homes: Homes) -> None:
    assert homes.found() == {}
    assert sessions.stores()["codex"].home == str(homes.codex)
    homes.environment = {}
    homes.look()
    assert sessions.stores()["codex"].home is None


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"CLAUDE_CONFIG_DIR": "/a", "CLAUDE_HOME": "/b", "HOME": "/h"}, "/a"),
        ({"CLAUDE_HOME": "/b", "HOME": "/h"}, "/b"),
        ({"HOME": "/h"}, "/h/.claude"),
    ],
)
def test_the_home_of_claude_is_where_it_looks_itself(environment: dict[str, str], folder: str) -> None:
    from workers.sessions import claude

    assert claude.home(environment) == folder
