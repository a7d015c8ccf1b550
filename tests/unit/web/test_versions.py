"""Whole texts of changed files over the API, with the test as the worker that reads them."""

from __future__ import annotations

from typing import Any

from shared.commands import CommandKind
from shared.review import landings, versions
from shared.review.landings import CaptureRecord
from shared.review.versions import TEXT, Version
from shared.store.models import Command, Task
from tests.unit.web.conftest import Api, PlayedWorker

LINES = [f"line {number}" for number in range(1, 61)]


def changed(api: Api) -> Task:
    task: Task = Task.get(Task.id == api.new()["id"])
    blobs = {"old_blob": None, "new_blob": "2" * 40}
    file = {"path": "a.txt", "path_b64": None, "old_path": None, "status": "added", "binary": False, **blobs}
    landings.keep_capture(task, CaptureRecord("b" * 40, "c" * 40, "t1", "stat", [file], b"", False, []))
    return task


def kept(command: Command) -> tuple[str, dict[str, Any]]:
    text = "\n".join([*LINES[:-1], "caf"]).encode() + b"\xe9"
    assert (command.kind, command.body) == (CommandKind.FILE, {"blob": "2" * 40})
    versions.keep(Task.get_by_id(command.task_id), [Version("2" * 40, TEXT, text)])
    return "applied", {}


def test_lines_beyond_the_diff_are_read_by_a_worker_once(api: Api, worker: PlayedWorker) -> None:
    worker.answer = kept
    task = changed(api)
    path = f"/tasks/{task.id}/file?path=a.txt"
    found = api.get(f"{path}&start=3&limit=2").json
    assert found == {
        "task_id": task.id, "path": "a.txt", "side": "new", "start": 3, "lines": ["line 3", "line 4"],
        "total_lines": 60, "truncated": False,
    }  # fmt: skip
    assert api.get(path).json["lines"] == [*LINES[:-1], "caf\\xe9"]
    assert api.get(f"{path}&start=61").json["lines"] == []
    assert Command.select().where(Command.kind == CommandKind.FILE).count() == 1


def test_what_cannot_be_read_is_refused_with_one_sentence(api: Api, worker: PlayedWorker) -> None:
    worker.answer = lambda command: (
        "refused",
        {"status": 409, "detail": "This version of the file is gone."},
    )
    path = f"/tasks/{changed(api).id}/file"
    refused = api.get(f"{path}?path=a.txt")
    assert (refused.status_code, refused.json["detail"]) == (409, "This version of the file is gone.")
    for query, status in (
        ("path=b", 404), ("path=a.txt&side=old", 404), ("path=a.txt&side=left", 422), ("", 422),
        ("path=a.txt&start=0", 422), ("path=a.txt&limit=10001", 422), ("path=a.txt&start=-1", 422),
    ):  # fmt: skip
        assert api.get(f"{path}?{query}").status_code == status, query


def test_without_a_worker_it_is_asked_again_later(api: Api) -> None:
    path = f"/tasks/{changed(api).id}/file?path=a.txt"
    for _ in range(2):
        answer = api.get(path)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert Command.select().where(Command.kind == CommandKind.FILE).count() == 1
