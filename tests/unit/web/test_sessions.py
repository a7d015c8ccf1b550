"""The list of agents' sessions: its shape, its pages, its links to tasks, and when a worker is asked to look."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any

import pytest

from shared import tasks
from shared.agents import sessions
from shared.clock import now
from shared.store.database import close, transaction
from shared.store.models import AgentStore, Attempt, Task
from tests.unit.web.conftest import Api, PlayedWorker
from tests.waiting import wait_until

THIRTEEN = """runner session_id title workspace transcript_path created_at updated_at source resume_command message_count
last_message openruntime_task_id managed_by_openruntime""".split()


def row(number: int, **fields: Any) -> dict[str, Any]:
    id = fields.get("session_id", f"S{number:04}")
    return {
        "path": f"/p/{number:04}.jsonl",
        "runner": "claude-code",
        "key": id,
        "session_id": id,
        "source": "claude-project-jsonl",
        "title": f"Title {number}",
        "workspace": "/w",
        "message_count": number,
        "updated_at": now() + timedelta(seconds=number // 2),
        "mark": "m",
        **fields,
    }


@pytest.fixture
def kept(api: Api) -> None:
    rows = [row(number) for number in range(1, 8)]
    rows.append(row(8, runner="codex", source="codex-jsonl", session_id="a b", workspace="/other"))
    rows.append(
        row(9, source="claude-subagent-jsonl", key="S0001/agent-x", session_id="agent-x", parent_id="S0001")
    )
    sessions.keep(rows)
    sessions.choose()
    sessions.looked_through({"codex": "/c", "claude-code": "/k"}, now())


def test_the_list_has_the_reference_systems_shape(api: Api, kept: None) -> None:
    found = api.get("/runner-sessions").json
    assert set(found) == {"sessions", "codex_home", "claude_home", "next_cursor"}
    assert (found["codex_home"], found["claude_home"], found["next_cursor"]) == ("/c", "/k", None)
    assert all(list(item) == THIRTEEN for item in found["sessions"])
    assert len(found["sessions"]) == 9
    times = [item["updated_at"] for item in found["sessions"]]
    assert times == sorted(times, reverse=True)
    commands = {item["session_id"]: item["resume_command"] for item in found["sessions"]}
    assert commands["S0001"] == "claude --resume S0001"
    assert commands["a b"] == "codex resume --include-non-interactive 'a b'"
    assert commands["agent-x"] is None


def test_pages_lose_nothing_and_filters_find(api: Api, kept: None) -> None:
    whole = [item["session_id"] for item in api.get("/runner-sessions").json["sessions"]]
    seen, path = [], "/runner-sessions?limit=2"
    while path:
        answer = api.get(path)
        seen += [item["session_id"] for item in answer.json["sessions"]]
        path = answer.headers.get("Link", "").partition("<")[2].partition(">")[0]
        assert bool(path) == bool(answer.json["next_cursor"])
    assert seen == whole

    def ids(query: str) -> list[str]:
        return [item["session_id"] for item in api.get(f"/runner-sessions?{query}").json["sessions"]]

    assert ids("runner=codex") == ["a b"]
    assert ids("q=title%203") == ["S0003"]
    assert ids("q=/OTHER") == ["a b"]
    assert ids("q=%25") == []
    assert api.get("/runner-sessions?cursor=nonsense").status_code == 400
    assert api.get("/runner-sessions?limit=0").status_code == 422


def test_a_session_belongs_to_the_task_that_recorded_it_and_to_no_other_in_its_folder(
    api: Api, kept: None
) -> None:
    first, second, third = (api.new(runner="claude-code", workspace=None)["id"] for _ in range(3))
    other = api.new(runner="codex")["id"]
    with transaction():
        Task.update(execution_workspace="/w", workspace="/w").execute()
        Task.update(runner_session_id="S0001").where(Task.id == first).execute()
        Task.update(runner_session_id="S0002").where(Task.id == other).execute()  # of another runner
        common = {"runner": "claude-code", "status": "stopped", "queued_at": now(), "attempt_number": 1}
        for number, (id, session) in enumerate([(second, "S0003"), (third, "S0003")]):
            task = tasks.get(id)
            Attempt.create(id=f"a{number}", task=task.number, runner_session_id=session, **common)
    found = {item["session_id"]: item for item in api.get("/runner-sessions").json["sessions"]}
    links = {id: item["openruntime_task_id"] for id, item in found.items() if item["managed_by_openruntime"]}
    assert links == {"S0001": first, "agent-x": first, "S0003": third}
    assert {item["openruntime_task_id"] for item in found.values() if not item["managed_by_openruntime"]} == {
        None
    }


def test_before_any_look_nothing_is_claimed(api: Api) -> None:
    found = api.get("/runner-sessions").json
    assert (found["sessions"], found["claude_home"]) == ([], None)


def test_asking_asks_the_worker_at_most_once_a_second_and_waits_for_its_look(
    api: Api, worker: PlayedWorker, kept: None
) -> None:
    assert not sessions.want_refresh()  # it has just looked
    with transaction():
        AgentStore.update(
            indexed_at=now() - timedelta(seconds=30), wanted_at=now() - timedelta(days=1)
        ).execute()

    def look() -> None:
        wait_until(lambda: not sessions.all_looked_at())
        sessions.keep([row(99)])
        sessions.choose()
        sessions.looked_through({"codex": "/x", "claude-code": "/x"}, now())
        close()

    looking = threading.Thread(target=look)
    looking.start()
    found = api.get("/runner-sessions").json["sessions"]
    looking.join()
    assert found[0]["session_id"] == "S0099"
    assert sessions.all_looked_at()


def test_a_list_beyond_one_answer_goes_on(api: Api, kept: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from web import answers

    monkeypatch.setattr(answers, "ANSWER_BYTES", 1000)
    first = api.get("/runner-sessions").json
    assert 0 < len(first["sessions"]) < 9
    after = api.get(f"/runner-sessions?cursor={first['next_cursor']}").json
    assert first["sessions"][-1]["session_id"] != after["sessions"][0]["session_id"]


def test_two_thousand_sessions_are_listed_quickly(api: Api, kept: None) -> None:
    sessions.keep([row(number) for number in range(100, 2100)])
    sessions.choose()
    api.get("/runner-sessions")
    began = time.process_time()
    assert len(api.get("/runner-sessions").json["sessions"]) == 2009
    assert time.process_time() - began < 0.5  # measured 0.04 s
