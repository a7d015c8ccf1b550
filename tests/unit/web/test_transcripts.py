"""A transcript through the API: asked of a worker, shown as it last was, refused in one sentence."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import fleet
from shared.agents import sessions, transcripts
from shared.clock import now
from shared.config import Config
from shared.secrets.redaction import Redactor
from shared.store.database import close
from shared.store.models import Task, TranscriptPage
from tests.unit.sessions.conftest import append, write
from tests.unit.sessions.test_stores import SID, claude_line
from tests.unit.web.conftest import Api
from tests.unit.web.test_sessions import row
from workers import transcripts as reading

URL = f"/runner-sessions/claude-code/{SID}/transcript"


@pytest.fixture
def path(api: Api, tmp_path: Path) -> Path:
    """A session of Claude with two messages, seen by a look."""
    found = tmp_path / f"home/projects/-w/{SID}.jsonl"
    write(
        found, claude_line("user", "Tidy <up>"), claude_line("assistant", [{"type": "text", "text": "Done."}])
    )
    gone = row(2, session_id="X-1", runner="codex", source="codex-session-index", path="index:/c:X-1")
    sessions.keep([row(1, session_id=SID, key=SID, path=str(found)), gone])
    sessions.choose()
    sessions.looked_through({"codex": "/c", "claude-code": "/k"}, now())
    return found


@pytest.fixture
def reader(path: Path, config: Config) -> Iterator[None]:
    """A worker that does nothing but read transcripts."""
    ended = threading.Event()
    environment = {"CLAUDE_CONFIG_DIR": str(path.parents[2])}

    def run() -> None:
        while not ended.wait(0.01):
            for asked in transcripts.wanted():
                found = reading.read(asked, environment, config.homes, Redactor(), ended.is_set)
                transcripts.keep(asked, found)
        close()

    fleet.register_worker("w1", "0")
    thread = threading.Thread(target=run)
    thread.start()
    yield
    ended.set()
    thread.join()


def test_it_has_the_session_and_its_entries_in_the_shape_of_events(api: Api, reader: None) -> None:
    found = api.get(URL).json
    assert set(found) == {"session", "entries", "next", "previous", "size_bytes"}
    assert found["session"]["session_id"] == SID
    assert [set(entry) for entry in found["entries"]] == [
        {"place", "kind", "message", "metadata", "created_at"}
    ] * 2
    assert [(entry["kind"], entry["message"]) for entry in found["entries"]] == [
        ("input", "Tidy <up>"),
        ("stdout", "Done."),
    ]
    first = api.get(f"{URL}?limit=1").json
    assert (len(first["entries"]), first["previous"]) == (1, None)
    assert api.get(f"{URL}?start={first['next']}").json["entries"][0]["message"] == "Done."
    assert api.get(f"{URL}?before=end&limit=1").json["entries"][0]["message"] == "Done."


def test_what_was_added_since_is_shown_when_it_is_asked_for_again(
    api: Api, reader: None, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(api.get(URL).json["entries"]) == 2
    append(path, claude_line("user", "More"))
    monkeypatch.setattr(transcripts, "FRESH_SECONDS", 0.0)
    assert len(api.get(URL).json["entries"]) == 3


def test_without_a_worker_it_is_what_was_read_last_or_try_again(api: Api, path: Path) -> None:
    refused = api.get(URL)
    assert (refused.status_code, refused.headers["Retry-After"] != "") == (503, True)
    asked = transcripts.wanted()[0]
    transcripts.keep(asked, {"entries": [], "next": None, "previous": None, "size_bytes": 7})
    assert api.get(URL).json["size_bytes"] == 7


def test_what_cannot_be_read_is_said_in_one_sentence(api: Api, path: Path) -> None:
    api.get(URL)
    transcripts.keep(transcripts.wanted()[0], {"problem": "The transcript is gone from the agent's store."})
    refused = api.get(URL)
    assert (refused.status_code, refused.json["detail"]) == (
        409,
        "The transcript is gone from the agent's store.",
    )


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/runner-sessions/claude-code/nobody/transcript", 404),
        (f"/runner-sessions/codex/{SID}/transcript", 404),
        ("/runner-sessions/codex/X-1/transcript", 404),
        (f"{URL}?start=soon", 422),
        (f"{URL}?before=-1", 422),
        (f"{URL}?limit=0", 422),
        (f"{URL}?limit=501", 422),
    ],
)
def test_what_makes_no_sense_is_refused_and_asks_nobody(
    api: Api, path: Path, address: str, status: int
) -> None:
    assert api.get(address).status_code == status
    assert TranscriptPage.select().count() == 0


def test_pages_nobody_looks_at_any_more_are_forgotten(
    api: Api, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcripts, "MOST_PAGES", 3)
    for start in range(6):
        api.get(f"{URL}?start={start}")
    kept = [json.loads(found.request)["start"] for found in TranscriptPage.select()]
    assert sorted(kept) == ["3", "4", "5"]
    monkeypatch.setattr(transcripts, "FORGOTTEN_SECONDS", 0.0)
    api.get(URL)
    assert TranscriptPage.select().count() == 1


def test_a_task_takes_a_session_up_or_is_not_made(api: Api, path: Path, tmp_path: Path) -> None:
    fields = {"title": "t", "prompt": "Go on.", "runner": "claude-code", "session_id": SID}
    sessions.keep([row(1, session_id=SID, key=SID, path=str(path), workspace=str(tmp_path))])
    refused = api.post("/tasks", {**fields, "workspace": str(path.parent)})
    assert (refused.status_code, Task.select().count()) == (400, 0)
    assert (
        api.post("/tasks", {**fields, "workspace": str(tmp_path), "session_id": "nobody"}).status_code == 404
    )
    made = api.post("/tasks", {**fields, "workspace": str(tmp_path)}).json
    assert made["runner_session_id"] == SID
    assert api.post("/tasks", {**fields, "workspace": str(tmp_path)}).status_code == 409
    assert Task.select().count() == 1
