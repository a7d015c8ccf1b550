"""Tasks put away: the archive, deletion, and the lists without them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared import commands, deletion, tasks
from shared.clock import now
from shared.lifecycle import Status
from shared.store.database import raw, transaction
from shared.store.models import Command, Task
from tests.unit.web.conftest import Api, PlayedWorker


def ended(task: dict[str, Any], **fields: Any) -> dict[str, Any]:
    with transaction():
        Task.update(status=Status.COMPLETED, live_attempt=None, **fields).where(
            Task.id == task["id"]
        ).execute()
    return task


def deleting(worker: PlayedWorker) -> None:
    """The played worker deletes, as a real one does after the files."""

    def answer(command: Command) -> tuple[str, dict[str, Any]]:
        task = Task.get_by_id(command.task_id)
        (deletion.forget if command.body.get(deletion.FOR_GOOD) else deletion.hide)(task)
        return "applied", {}

    worker.answer = answer


def test_an_archived_task_leaves_the_lists_and_comes_back(api: Api) -> None:
    kept, away = api.new()["id"], ended(api.new())["id"]
    answer = api.post(f"/tasks/{away}/archive", {"archived": True})
    assert answer.status_code == 200
    assert answer.json["archived_at"]
    stamp = answer.json["updated_at"]
    assert stamp > api.get(f"/tasks/{kept}").json["updated_at"]
    assert [task["id"] for task in api.get("/tasks").json] == [kept]
    assert [task["id"] for task in api.get("/tasks?archived=1").json] == [away]
    assert api.post(f"/tasks/{away}/archive").json["updated_at"] == stamp
    assert api.post(f"/tasks/{away}/archive", {"archived": False}).json["archived_at"] is None
    assert {task["id"] for task in api.get("/tasks").json} == {kept, away}
    assert api.post(f"/tasks/{away}/archive", {"archived": 1}).status_code == 422


def test_a_live_task_is_neither_archived_nor_deleted(api: Api, running: dict[str, Any]) -> None:
    assert api.post(f"/tasks/{running['id']}/archive").status_code == 409
    assert api("DELETE", f"/tasks/{running['id']}").status_code == 409
    assert Command.select().count() == 0


def test_a_worktree_must_be_cleaned_up_before_its_task_is_deleted(api: Api, worker: PlayedWorker) -> None:
    deleting(worker)
    task = ended(api.new(), worktree_path="/somewhere", worktree_merged_at=now())
    refused = api("DELETE", f"/tasks/{task['id']}")
    assert (refused.status_code, refused.json["slug"]) == (409, "unmerged-work")
    ended(task, worktree_cleaned_at=now())
    assert api("DELETE", f"/tasks/{task['id']}").status_code == 204


def test_a_deleted_task_is_nowhere_and_comes_back_with_all_that_was_recorded(
    api: Api, worker: PlayedWorker
) -> None:
    deleting(worker)
    other = api.new()["id"]
    headers = {"Idempotency-Key": "k"}
    body = {"title": "Find <me>", "prompt": "p", "runner": "shell", "command": "true"}
    task = ended(api.post("/tasks", body, headers=headers).json)
    events = api.get(f"/tasks/{task['id']}/events").json
    answer = api("DELETE", f"/tasks/{task['id']}")
    assert (answer.status_code, answer.data) == (204, b"")
    assert api.get(f"/tasks/{task['id']}").status_code == 404
    assert api("DELETE", f"/tasks/{task['id']}").status_code == 404
    assert [found["id"] for found in api.get("/tasks").json] == [other]
    assert task["id"] not in api.get("/search?q=Find").text
    assert 'openruntime_tasks{status="completed"} 0.0' in api.get("/metrics").text
    assert api.post("/tasks", body, headers=headers).json["id"] != task["id"]
    listed = api.get("/deleted-tasks").json
    assert [(one["id"], one["title"], one["event_count"]) for one in listed] == [
        (task["id"], "Find <me>", len(events))
    ]
    back = api.post(f"/deleted-tasks/{task['id']}/restore")
    assert (back.status_code, back.json["id"]) == (200, task["id"])
    told = api.get(f"/tasks/{task['id']}/events").json
    assert (told[: len(events)], told[-1]["message"][:8]) == (events, "Put back")
    assert task["id"] in api.get("/search?q=Find").text
    assert api.get("/deleted-tasks").json == []
    assert api.post(f"/deleted-tasks/{task['id']}/restore").status_code == 404


def test_a_task_deleted_for_good_takes_all_its_rows_with_it(api: Api, worker: PlayedWorker) -> None:
    deleting(worker)
    task = ended(api.new())
    number = tasks.get(task["id"]).number
    assert api("DELETE", f"/deleted-tasks/{task['id']}").status_code == 404
    assert api("DELETE", f"/tasks/{task['id']}").status_code == 204
    assert api("DELETE", f"/deleted-tasks/{task['id']}").status_code == 204
    assert api.get("/deleted-tasks").json == []
    assert api.post(f"/deleted-tasks/{task['id']}/restore").status_code == 404
    for table in ("task", "attempt", "event", "command", "approval", "capture", "landing"):
        column = "number" if table == "task" else "task"
        rows = raw().execute(f"SELECT count(*) FROM {table} WHERE {column} = ?", (number,))
        assert rows.fetchone() == (0,), table


def test_deleted_tasks_go_for_good_after_thirty_days(api: Api) -> None:
    old, young = (tasks.get(ended(api.new())["id"]) for _ in range(2))
    for task in (old, young):
        deletion.hide(task)
    with transaction():
        Task.update(deleted_at=now() - timedelta(days=31)).where(Task.number == old.number).execute()
    assert [task.id for task in deletion.overdue()] == [old.id]
    deletion.forget(deletion.find(old.id))
    assert [one["id"] for one in api.get("/deleted-tasks").json] == [young.id]


def test_a_task_that_goes_for_good_is_not_put_back(api: Api) -> None:
    task = tasks.get(ended(api.new())["id"])
    deletion.hide(task)
    assert api("DELETE", f"/deleted-tasks/{task.id}").status_code == 202
    assert api.post(f"/deleted-tasks/{task.id}/restore").status_code == 409


def test_without_a_worker_a_deletion_is_accepted_once_and_no_start_overtakes_it(api: Api) -> None:
    task = ended(api.new())
    first, again = (api("DELETE", f"/tasks/{task['id']}") for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json["pending_command"]["kind"] == "delete"
    assert first.json == again.json
    assert api.post(f"/tasks/{task['id']}/start").status_code == 409


def test_what_the_worker_refuses_is_said(api: Api, worker: PlayedWorker) -> None:
    worker.answer = lambda command: (
        "refused",
        {"status": 409, "detail": "Still ending.", "slug": "conflict"},
    )
    answer = api("DELETE", f"/tasks/{ended(api.new())['id']}")
    assert (answer.status_code, answer.json["detail"]) == (409, "Still ending.")


@pytest.mark.parametrize("id", ["00000000-0000-4000-8000-000000000000", "xyz"])
def test_what_is_not_there_cannot_be_put_away(api: Api, id: str) -> None:
    status = 400 if id == "xyz" else 404
    assert api("DELETE", f"/tasks/{id}").status_code == status
    assert api.post(f"/tasks/{id}/archive").status_code == status


def test_a_delete_asked_twice_is_one_command(api: Api) -> None:
    task = tasks.get(ended(api.new())["id"])
    assert deletion.request(task).id == deletion.request(task).id
    assert [command.kind for command in commands.open_work(task)] == ["delete"]
