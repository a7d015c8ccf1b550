"""The page of agents' sessions: what it lists, how it leads on, and how a task takes a session up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared import tasks
from shared.agents import adoption, sessions
from shared.clock import now
from shared.store.database import transaction
from shared.store.models import Attempt, Task
from tests.unit.pages.conftest import Visitor
from tests.unit.web.conftest import Api
from tests.unit.web.test_sessions import row
from web.pages import sessions as page


def keep(*rows: dict[str, Any]) -> None:
    sessions.keep(rows)
    sessions.choose()
    sessions.looked_through({"codex": "/c", "claude-code": "/k"}, now())


@pytest.fixture
def folder(api: Api, tmp_path: Path) -> Path:
    """A plain folder in which Claude and Codex each held a session; the second with a sub-agent."""
    place = tmp_path / "plain"
    place.mkdir()
    keep(
        row(1, session_id="C-1", title="Tidy <up>", workspace=str(place)),
        row(2, session_id="X-1", runner="codex", source="codex-jsonl", title="Ship it", workspace=str(place)),
        row(3, session_id="agent-x", key="C-1/agent-x", parent_id="C-1", source="claude-subagent-jsonl",
            title="Look for dead links"),
        row(4, session_id="agent-y", key="gone/agent-y", parent_id="gone", source="claude-subagent-jsonl",
            title="Left alone"),
    )  # fmt: skip
    return place


def compose(visitor: Visitor, folder: Path, runner: str, session: str, **more: str) -> Any:
    fields = {
        "goal": "Go on, please",
        "runner": runner,
        "workspace": str(folder),
        "budget": "15",
        "key": "k1",
    }
    return visitor.send("/ui/compose", {**fields, "session": session, "back": "/", **more})


def test_sub_agents_stand_below_their_session_unless_it_is_gone(visitor: Visitor, folder: Path) -> None:
    text = visitor.get("/ui/sessions").text
    assert text.count('<li class="row split session">') == 3
    assert "Tidy &lt;up&gt;" in text
    assert "1 sub-agent" in text
    assert "Look for dead links" in text
    assert text.count('<span class="tag">Sub-agent</span>') == 1


def test_words_and_a_runner_narrow_the_list_down(visitor: Visitor, folder: Path) -> None:
    found = visitor.get("/ui/sessions?q=dead+links").text
    assert found.count('<li class="row split session">') == 1
    assert "/ui/sessions?q=C-1" in found
    only = visitor.get("/ui/sessions?runner=codex").text
    assert ("Ship it" in only, "Tidy" in only) == (True, False)
    assert "No session matches." in visitor.get("/ui/sessions?q=nowhere").text


def test_pages_lead_on_and_back_with_their_filters(
    visitor: Visitor, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "SHOWN", 3)
    keep(*(row(number, title=f"Same {number}") for number in range(1, 8)))
    path, seen = "/ui/sessions?q=same", 0
    for expected in (3, 3, 1):
        text = visitor.get(path).text
        assert text.count('<li class="row split session">') == expected
        seen += expected
        path = text.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0].replace("&amp;", "&")
        assert ('href="/ui/sessions?q=same' in text) == (seen > 3 or 'rel="next"' in text)
    assert 'rel="next"' not in text
    assert visitor.get("/ui/sessions?cursor=nonsense").status_code == 400


def test_before_a_worker_has_looked_the_page_says_so(visitor: Visitor) -> None:
    assert "No worker has looked for sessions yet." in visitor.get("/ui/sessions").text


def test_a_session_of_a_task_leads_to_it_and_is_not_offered_again(
    visitor: Visitor, api: Api, folder: Path
) -> None:
    id = api.new(runner="codex", title="Owner")["id"]
    Task.update(runner_session_id="X-1").where(Task.id == id).execute()
    text = visitor.get("/ui/sessions?runner=codex").text
    assert f'<a class="button" href="/ui/tasks/{id}">Open the task' in text
    assert "Continue as a task" not in text
    refused = compose(visitor, folder, "codex", "X-1")
    assert (refused.status_code, "belongs to a task already" in refused.text) == (409, True)
    assert Task.select().count() == 1


def test_continuing_fills_the_composer_and_the_first_start_resumes(visitor: Visitor, folder: Path) -> None:
    link = visitor.get("/ui/sessions?runner=codex").text.partition('<a class="button" href="/?compose')[2]
    filled = visitor.get("/?compose" + link.partition("#")[0].replace("&amp;", "&")).text
    assert "Goes on with Codex’s session “Ship it”" in filled
    assert '<input type="hidden" name="session" value="X-1">' in filled
    assert '<option value="codex" selected>' in filled
    assert f'<option value="{folder}" selected>' in filled
    assert compose(visitor, folder, "codex", "X-1").status_code == 303
    task, attempt = Task.get(), Attempt.get()
    assert (task.runner_session_id, attempt.runner_session_id, attempt.resume) == ("X-1", "X-1", True)
    assert (task.prompt, task.workspace) == ("Go on, please", str(folder))


def test_a_gated_task_resumes_the_session_once_it_is_approved(visitor: Visitor, folder: Path) -> None:
    compose(visitor, folder, "codex", "X-1", preset="auto-review")
    task = Task.get()
    assert Attempt.select().count() == 0
    visitor.send(f"/ui/tasks/{task.id}/approve")
    assert (Attempt.get().resume, Attempt.get().runner_session_id) == (True, "X-1")


def test_claude_goes_on_only_in_the_folder_of_its_session(
    visitor: Visitor, folder: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    refused = compose(visitor, other, "claude-code", "C-1")
    assert (refused.status_code, "choose that workspace" in refused.text) == (400, True)
    refused = compose(visitor, folder, "codex", "C-1")
    assert (refused.status_code, "belongs to another runner" in refused.text) == (400, True)
    (tmp_path / ".git").mkdir()
    listed = visitor.get("/ui/sessions?runner=claude-code").text
    assert "New task here" not in listed, "a worktree is no other folder: the session is brought along"
    assert Task.select().count() == 0
    assert compose(visitor, folder, "claude-code", "C-1").status_code == 303


def test_a_task_that_has_run_takes_up_no_session(visitor: Visitor, api: Api, folder: Path) -> None:
    task = tasks.get(api.new(runner="codex")["id"])
    with transaction():
        Attempt.create(
            id="a", task=task.number, runner="codex", status="stopped", queued_at=now(), attempt_number=1
        )
    with pytest.raises(Exception, match="has run already"):
        adoption.adopt(task, sessions.find("X-1"))


def test_a_sub_agent_or_an_unknown_session_is_not_taken_up(visitor: Visitor, folder: Path) -> None:
    for session in ("agent-x", "C-1/agent-x", "nobody"):
        refused = compose(visitor, folder, "claude-code", session)
        assert (refused.status_code, "no such agent session" in refused.text) == (404, True)
