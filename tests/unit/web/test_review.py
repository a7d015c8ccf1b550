"""Diff, preview, merge and cleanup, with the test as worker."""

from __future__ import annotations

import base64
from typing import Any

from shared.commands import CommandKind
from shared.review import landings
from shared.store.models import Command, Task
from tests.unit.web.changed import ONE, TWO, capture, ended, file
from tests.unit.web.conftest import Api, PlayedWorker

NEW = {"title": "t", "prompt": "p", "runner": "shell", "command": "true"}


def test_before_the_first_capture_a_diff_is_empty(api: Api) -> None:
    task = api.new()
    found = api.get(f"/tasks/{task['id']}/diff").json
    assert found == {
        "task_id": task["id"], "isolated": False, "worktree_path": None, "runner_session_id": None,
        "base_commit": None, "stat": "", "patch": "", "files": [], "head_oid": None, "base_oid": None,
        "captured_at": None, "truncated": False, "total_files": 0, "next_cursor": None,
    }  # fmt: skip


def test_the_diff_is_the_latest_capture_whole_or_by_file(api: Api) -> None:
    path = f"/tasks/{ended(api)['id']}/diff"
    capture([], b"", "t0")
    capture([file("a.txt"), file("b", status="added")], ONE + TWO)
    whole = api.get(path).json
    assert (whole["isolated"], whole["head_oid"], whole["base_oid"]) == (True, "c" * 40, "b" * 40)
    assert [item["path"] for item in whole["files"]] == ["a.txt", "b"]
    assert base64.b64decode(whole["patch_b64"]) == ONE + TWO
    first, second = api.get(f"{path}?path=a.txt").json, api.get(f"{path}?path=b").json
    assert base64.b64decode(first["patch_b64"]) == ONE
    assert second["patch"] == TWO.decode()
    assert "patch_b64" not in second
    assert api.get(f"{path}?path=nope").status_code == 404


def test_a_long_diff_comes_in_parts_each_with_its_files_patch(api: Api) -> None:
    path = f"/tasks/{ended(api)['id']}/diff"
    change = TWO.replace(b"a/b b/b", b"a/c b/c")  # of a file's type: a deletion and an addition
    capture([file("a.txt"), file("c", status="type-changed"), file("b")], ONE + change + change + TWO)
    whole = api.get(path).json
    assert (len(whole["files"]), whole["total_files"], whole["next_cursor"]) == (3, 3, None)
    found, patch, cursor = [], b"", "0"
    while cursor:
        part = api.get(f"{path}?limit=1&cursor={cursor}").json
        assert (len(part["files"]), part["total_files"]) == (1, 3)
        found += part["files"]
        patch += base64.b64decode(part.get("patch_b64", "")) or part["patch"].encode()
        cursor = part["next_cursor"]
    assert found == whole["files"]
    assert patch == base64.b64decode(whole["patch_b64"])
    assert api.get(f"{path}?cursor=3").json["files"] == []
    assert api.get(f"{path}?limit=1&path=c").json["next_cursor"] is None
    for odd in ("limit=0", "limit=10001", "cursor=-1", "cursor=x"):
        assert api.get(f"{path}?{odd}").status_code == 422, odd


def test_a_refresh_captures_first_and_always_answers(api: Api, worker: PlayedWorker) -> None:
    path = f"/tasks/{ended(api)['id']}/diff"

    def take(command: Command) -> tuple[str, dict[str, Any]]:
        assert command.kind == CommandKind.CAPTURE
        capture([file("b")], TWO)
        return "applied", {}

    worker.answer = take
    assert api.get(f"{path}?refresh=1").json["patch"] == TWO.decode()
    worker.answer = lambda command: ("refused", {"status": 409, "detail": "no"})
    assert api.get(f"{path}?refresh=1").status_code == 200


def test_a_merge_answers_the_task_and_a_message(api: Api, worker: PlayedWorker) -> None:
    task = ended(api)

    def land(command: Command) -> tuple[str, dict[str, Any]]:
        assert command.body == {"strategy": "rebase", "message": "m", "target_oid": "a" * 40}
        landings.merged(Task.get(), "Merged into main")
        return "applied", {"message": "Merged into main", "commit_oid": "c" * 40}

    worker.answer = land
    body = {"strategy": "rebase", "message": "m", "target_oid": "a" * 40}
    answer = api.post(f"/tasks/{task['id']}/worktree/merge", body)
    assert answer.status_code == 200
    assert answer.json["message"] == "Merged into main"
    assert answer.json["task"]["status"] == "completed"
    assert answer.json["task"]["worktree_merged_at"]
    again = api.post(f"/tasks/{task['id']}/worktree/merge")
    assert again.status_code == 409
    assert "already" in again.json["detail"]


def test_a_refused_merge_says_what_is_in_the_way(api: Api, worker: PlayedWorker) -> None:
    task = ended(api)
    problem = {
        "status": 409,
        "title": "Landing refused",
        "slug": "landing-refused",
        "detail": "a.txt is in the way",
    }
    worker.answer = lambda command: ("refused", {**problem, "blocking": ["a.txt"], "conflicts": []})
    answer = api.post(f"/tasks/{task['id']}/worktree/merge", {})
    assert answer.status_code == 409
    assert answer.json == {**problem, "blocking": ["a.txt"], "conflicts": []}


def test_merge_bodies_are_checked(api: Api) -> None:
    path = f"/tasks/{ended(api)['id']}/worktree/merge"
    for body in ({"strategy": "octopus"}, {"head_oid": "x"}, {"cleanup": "yes"}, {"message": 1}):
        assert api.post(path, body).status_code == 422
    assert Command.select().count() == 0


def test_a_task_without_worktree_or_still_running_is_not_merged(
    api: Api, worker: PlayedWorker, running: dict[str, Any]
) -> None:
    live = api.post(f"/tasks/{running['id']}/worktree/merge")
    assert live.status_code == 409
    other = api.post(f"/tasks/{api.new()['id']}/worktree/merge")
    assert other.status_code == 409
    assert "no worktree" in other.json["detail"]


def test_without_a_worker_landing_work_is_accepted_for_later(api: Api) -> None:
    for verb in ("merge", "cleanup"):
        task = ended(api)
        answer = api.post(f"/tasks/{task['id']}/worktree/{verb}")
        assert answer.status_code == 202
        assert answer.json["task"]["pending_command"]["kind"] == verb
    preview = api.post(f"/tasks/{ended(api)['id']}/worktree/preview")
    assert preview.status_code == 202
    assert preview.json["pending_command"]["kind"] == "preview"


def test_preview_and_cleanup_pass_on_what_the_worker_found(api: Api, worker: PlayedWorker) -> None:
    task = ended(api)
    found = {"clean": False, "conflicts": ["a"], "blocking": [], "head_oid": "c", "target_oid": "d"}
    worker.answer = lambda command: ("applied", found)
    assert api.post(f"/tasks/{task['id']}/worktree/preview").json == found
    bodies: list[dict[str, Any]] = []

    def remove(command: Command) -> tuple[str, dict[str, Any]]:
        bodies.append(command.body)
        return "applied", {"message": "gone"}

    worker.answer = remove
    answer = api.post(f"/tasks/{task['id']}/worktree/cleanup", {"force": True})
    assert (answer.status_code, answer.json["message"], bodies) == (200, "gone", [{"force": True}])


def test_an_override_names_gates_there_are(api: Api, worker: PlayedWorker) -> None:
    task = ended(api)
    bodies: list[dict[str, Any]] = []

    def land(command: Command) -> tuple[str, dict[str, Any]]:
        bodies.append(command.body)
        return "applied", {"message": "Merged"}

    worker.answer = land
    path = f"/tasks/{task['id']}/worktree/merge"
    refused = api.post(path, {"override": ["everything"]})
    assert (refused.status_code, refused.json["field"]) == (422, "override.0")
    assert api.post(path, {"override": ["verify"], "target_branch": "side"}).status_code == 200
    assert bodies == [{"override": ["verify"], "target_branch": "side"}]


def test_undo_verify_and_rebase_pass_on_what_the_worker_did(api: Api, worker: PlayedWorker) -> None:
    task = ended(api)
    asked: list[tuple[str, dict[str, Any]]] = []
    found = {"message": "Done", "tree_oid": "t", "checks": [], "verify": {"state": "off"}}

    def carry_out(command: Command) -> tuple[str, dict[str, Any]]:
        asked.append((command.kind, command.body))
        return "applied", found

    worker.answer = carry_out
    assert api.post(f"/tasks/{task['id']}/undo/preview").json == found
    assert api.post(f"/tasks/{task['id']}/undo").json["message"] == "Done"
    assert api.post(f"/tasks/{task['id']}/verify", {"again": True}).json == found
    body = {"conflicts": "mark", "ask": True, "target_branch": "main"}
    assert api.post(f"/tasks/{task['id']}/worktree/rebase", body).json["message"] == "Done"
    assert asked == [("undo-preview", {}), ("undo", {}), ("verify", {"again": True}), ("rebase", body)]
    for path, wrong in (("worktree/rebase", {"conflicts": "x"}), ("verify", {"strategy": "x"})):
        assert api.post(f"/tasks/{task['id']}/{path}", wrong).status_code == 422


def test_checks_of_a_task_have_names_of_their_own(api: Api) -> None:
    for checks in (
        [{"name": "verify", "command": "true"}],
        [{"name": "a", "command": "true"}] * 2,
        [{"name": "", "command": "true"}],
        [{"name": "a"}],
        [{"name": "a", "command": "true", "mode": "maybe"}],
        [{"name": f"n{number}", "command": "true"} for number in range(21)],
    ):
        assert api.post("/tasks", {**NEW, "checks": checks}).status_code == 422
    made = api.post("/tasks", {**NEW, "checks": [{"name": "lint", "command": "true"}], "verify_seconds": 5})
    assert made.status_code == 200
    assert made.json["checks"] == []
