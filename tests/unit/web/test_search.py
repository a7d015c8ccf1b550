"""Search over HTTP and on its page."""

from __future__ import annotations

import pytest

from shared import timeline
from shared.agents import sessions
from shared.clock import now
from shared.events import Draft, Kind
from shared.store.database import transaction
from shared.store.models import Task
from tests.unit.pages.conftest import Visitor, visitor
from tests.unit.web.conftest import Api

__all__ = ["visitor"]


def say(task_id: str, *lines: str) -> None:
    with transaction():
        timeline.append(Task.get(Task.id == task_id).number, [Draft(Kind.STDOUT, line) for line in lines])


def keep_session(title: str) -> None:
    wanted = {
        "path": "/p", "runner": "codex", "key": "k", "session_id": "s1", "parent_id": None, "source": "x", "title": title,
        "workspace": "/w", "message_count": 1, "last_message": "bye", "created_at": now(), "updated_at": now(), "mark": "m",
        "reader": None,
    }  # fmt: skip
    sessions.keep([wanted])
    sessions.choose()


def test_tasks_sessions_and_events_are_found_together_and_events_go_on(api: Api) -> None:
    task = api.new(title="mend the hub")
    say(task["id"], *(f"hub {number}" for number in range(5)))
    keep_session("about the hub")
    found = api.get("/search?q=hub&limit=3").json
    assert [row["id"] for row in found["tasks"]] == [task["id"]]
    assert [row["session_id"] for row in found["sessions"]] == ["s1"]
    assert [row["snippet"] for row in found["events"]] == ["hub 4", "hub 3", "hub 2"]
    assert found["events"][0]["seq"] == 6
    rest = api.get(f"/search?q=hub&limit=3&cursor={found['next_cursor']}").json
    assert [row["snippet"] for row in rest["events"]] == ["hub 1", "hub 0"]
    assert (rest["tasks"], rest["sessions"], rest["next_cursor"]) == ([], [], None)


@pytest.mark.parametrize(
    ("query", "status"), [("", 422), ("q=", 400), ("q=%00", 400), ("q=x&limit=0", 422), ("q=x&cursor=y", 422)]
)
def test_what_cannot_be_looked_for_is_refused(api: Api, query: str, status: int) -> None:
    assert api.get(f"/search?{query}").status_code == status


def test_the_page_marks_the_words_and_leads_into_the_timeline(visitor: Visitor, api: Api) -> None:
    task = api.new(title="mend <b>")
    say(task["id"], "the <i>needle</i>\u202e here")
    page = visitor.get("/ui/search?q=needle").text
    assert "the &lt;i&gt;<mark>needle</mark>&lt;/i&gt;" in page
    assert "\u202e" not in page
    assert f'href="/ui/tasks/{task["id"]}?f=1&amp;output=1&amp;tools=1&amp;q=needle"' in page
    inside = visitor.get(f"/ui/tasks/{task['id']}?f=1&output=1&tools=1&q=needle").text
    assert "needle" in inside.partition("<main")[2]


@pytest.mark.parametrize(
    "query", ["", "q=", 'q="', "q=%00", "q=x&cursor=-1", "q=a+b+c+d+e+f+g+h+i+j", "q=%3Cscript%3E"]
)
def test_whatever_is_asked_there_is_a_page(visitor: Visitor, query: str) -> None:
    answer = visitor.get(f"/ui/search?{query}")
    assert answer.status_code == 200
    assert "<script>x" not in answer.text
