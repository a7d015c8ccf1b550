"""The page of a transcript: what it shows without a script, and where it leads."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.agents import sessions, transcripts
from shared.clock import now
from shared.store.models import Task
from tests.unit.pages.conftest import Visitor
from tests.unit.web.conftest import Api
from tests.unit.web.test_sessions import row

PAGE = "/ui/sessions/claude-code/S-1"


def entry(
    place: str, category: str, message: str, kind: str = "stdout", **about: object
) -> dict[str, object]:
    metadata = {"category": category, **about}
    return {"place": place, "kind": kind, "message": message, "metadata": metadata, "created_at": None}


ENTRIES = [
    entry("0.0", "reply", "Tidy <up>", "input"),
    entry("90.0", "agent-thinking", "A file first."),
    entry("90.1", "tool-call", "Bash ls", tool="Bash", tool_use_id="t1", input={"command": "ls"}),
    entry("300.0", "tool-result", "a.txt", tool_use_id="t1", failed=False),
    entry("400.0", "tool-call", "Bash rm", tool="Bash", tool_use_id="t2", input={"command": "rm"}),
    entry("500.0", "agent-message", "Done, **really**."),
]


@pytest.fixture
def held(api: Api, tmp_path: Path) -> Path:
    place = tmp_path / "plain"
    place.mkdir()
    sessions.keep(
        [
            row(1, session_id="S-1", title="Tidy <up>", workspace=str(place)),
            row(2, session_id="agent-x", key="S-1/agent-x", parent_id="S-1", source="claude-subagent-jsonl",
                title="Look for dead links"),
        ]
    )  # fmt: skip
    sessions.choose()
    sessions.looked_through({"codex": "/c", "claude-code": "/k"}, now())
    return place


def read(visitor: Visitor, address: str, page: dict[str, object]) -> str:
    """The page once a worker has read what it asked for."""
    visitor.get(address)
    for asked in transcripts.wanted():
        transcripts.keep(asked, {"next": None, "previous": None, "size_bytes": 2048, **page})
    answer = visitor.get(address)
    assert answer.status_code == 200
    return str(answer.text)


def test_it_is_drawn_as_a_timeline_is(visitor: Visitor, held: Path) -> None:
    text = read(visitor, PAGE, {"entries": ENTRIES})
    assert "Tidy &lt;up&gt;" in text
    assert "<strong>really</strong>" in text
    assert '<details class="body"><summary>Thinking</summary>' in text
    assert text.count('class="body call"') == 2, "a call and its result are one row"
    assert ">running<" not in text, "nothing runs here"
    assert 'id="e91"' in text


def test_it_leads_to_what_can_be_done_with_the_session(visitor: Visitor, api: Api, held: Path) -> None:
    text = read(visitor, PAGE, {"entries": ENTRIES})
    assert "Continue as a task" in text
    assert "claude --resume S-1" in text
    assert "/ui/sessions/claude-code/agent-x" in text
    id = api.new(runner="claude-code", title="Owner")["id"]
    Task.update(runner_session_id="S-1").where(Task.id == id).execute()
    text = read(visitor, PAGE, {"entries": ENTRIES})
    assert (f'href="/ui/tasks/{id}"' in text, "Continue as a task" in text) == (True, False)
    assert PAGE in visitor.get(f"/ui/tasks/{id}").text


def test_a_sub_agent_leads_to_its_session_and_offers_no_resume(visitor: Visitor, held: Path) -> None:
    text = read(visitor, "/ui/sessions/claude-code/agent-x", {"entries": ENTRIES[:1]})
    assert f'href="{PAGE}"' in text
    assert "Continue as a task" not in text
    assert "--resume" not in text


def test_pages_lead_on_in_both_directions(visitor: Visitor, held: Path) -> None:
    text = read(visitor, PAGE, {"entries": ENTRIES, "previous": "90.0"})
    assert (f'href="{PAGE}?before=90.0"' in text, "Later" in text) == (True, False)
    text = read(visitor, f"{PAGE}?start=0", {"entries": ENTRIES, "next": "600.1"})
    assert (f'href="{PAGE}?start=600.1"' in text, "Earlier" in text) == (True, False)
    assert visitor.get(f"{PAGE}?start=nonsense&before=x").status_code == 200


def test_a_transcript_that_cannot_be_shown_says_why_and_keeps_its_ways_on(
    visitor: Visitor, held: Path
) -> None:
    text = read(visitor, PAGE, {"problem": "The transcript is gone from the agent’s store."})
    assert "gone from the agent’s store" in text
    assert "Continue as a task" in text


def test_before_a_worker_has_read_it_and_where_there_is_none(visitor: Visitor, held: Path) -> None:
    assert visitor.get(PAGE).status_code == 503
    assert visitor.get("/ui/sessions/claude-code/nobody").status_code == 404


def test_the_list_leads_to_each_transcript(visitor: Visitor, held: Path) -> None:
    text = visitor.get("/ui/sessions").text
    assert f'<a href="{PAGE}">Tidy &lt;up&gt;</a>' in text
    assert '<a href="/ui/sessions/claude-code/agent-x"><b>Look for dead links</b></a>' in text
