"""Diff, preview, merge and cleanup, with the test as worker."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from shared.commands import CommandKind
from shared.lifecycle import Status
from shared.review import landings
from shared.review.landings import CaptureRecord
from shared.store.database import transaction
from shared.store.models import Attempt, Command, Task
from tests.unit.web.conftest import Api, PlayedWorker
from web.api import reviewing

ONE = b"diff --git a/a.txt b/a.txt\nindex 1..2 100644\n--- a/a.txt\n+++ b/a.txt\n@@ -1 +1,2 @@\n one\n+diff --git \xe9\n"
TWO = b"diff --git a/b b/b\nnew file mode 100644\n--- /dev/null\n+++ b/b\n@@ -0,0 +1 @@\n+new\n"


NEW = {"title": "t", "prompt": "p", "runner": "shell", "command": "true"}


def file(path: str, **more: Any) -> dict[str, Any]:
    empty = {"path_b64": None, "old_path": None, "binary": False, "old_blob": None, "new_blob": None}
    return {"path": path, "status": "modified", "additions": 1, "deletions": 0, **empty, **more}


def ended(api: Api) -> dict[str, Any]:
    task = api.new()
    with transaction():
        Task.update(worktree_path="/w", base_commit="b" * 40, status=Status.READY_FOR_REVIEW).execute()
    return task


def capture(files: list[dict[str, Any]], patch: bytes, tree: str = "t1") -> None:
    record = CaptureRecord("b" * 40, "c" * 40, tree, "stat", files, patch, False, [])
    landings.keep_capture(Task.get(), record)


def test_before_the_first_capture_a_diff_is_empty(api: Api) -> None:
    task = api.new()
    found = api.get(f"/tasks/{task['id']}/diff").json
    assert found == {
        "task_id": task["id"], "isolated": False, "worktree_path": None, "runner_session_id": None,
        "base_commit": None, "stat": "", "patch": "", "files": [], "head_oid": None, "base_oid": None,
        "captured_at": None, "truncated": False,
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


def test_what_was_viewed_is_kept_and_opens_again_when_the_file_changes(api: Api) -> None:
    path = f"/tasks/{ended(api)['id']}/review"
    assert api.get(path).json["files"] == []
    assert api.post(path, {"path": "b", "viewed": True}).status_code == 404
    capture([file("a.txt"), file("b")], ONE + TWO)
    assert api.post(path, {"path": "a.txt", "viewed": True, "head_oid": "d" * 40}).status_code == 409
    assert api.post(path, {"path": "nope", "viewed": True}).status_code == 404
    assert api.post(path, {"path": "b"}).status_code == 422
    for name in ("a.txt", "b"):
        marked = api.post(path, {"path": name, "viewed": True, "head_oid": "c" * 40}).json
    assert (marked["viewed"], marked["total"], marked["files"][0]["viewed_by"]) == (2, 2, "owner:token")
    capture([file("a.txt", new_blob="9" * 40), file("b")], ONE.replace(b"+diff", b"+other") + TWO, "t2")
    assert [one["state"] for one in api.get(path).json["files"]] == ["changed", "viewed"]
    assert api.post(path, {"path": "b", "viewed": False}).json["viewed"] == 0


THREE = b"diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -1 +1,2 @@ def f():\n one\n+two\n@@ -9 +10 @@\n-nine\n+9\n"


def test_single_hunks_are_viewed_and_stay_so_when_the_file_changes_elsewhere(api: Api) -> None:
    path = f"/tasks/{ended(api)['id']}/review"
    capture([file("a.txt"), file("b")], THREE + TWO)
    first, second = api.get(f"{path}?path=a.txt").json["files"][0]["hunks"]
    assert (first["header"], first["state"], first["viewed_by"]) == ("@@ -1,1 +1,2 @@ def f():", "open", None)
    said = {"path": "a.txt", "viewed": True, "hunk": second["hunk"]}
    assert api.post(path, {**said, "hunk": "0" * 32}).status_code == 404
    assert api.post(path, {**said, "hunk": "0" * 65}).status_code == 422
    marked = api.post(path, said).json
    assert (marked["viewed"], marked["files"][0]["state"]) == (0, "open")
    assert [one["viewed_by"] for one in marked["files"][0]["hunks"]] == [None, "owner:token"]
    capture([file("a.txt", new_blob="9" * 40), file("b")], THREE.replace(b"+two", b"+2") + TWO, "t2")
    kept = api.get(path).json["files"][0]["hunks"]
    assert [one["state"] for one in kept] == ["open", "viewed"]
    whole = api.post(path, {**said, "hunk": kept[0]["hunk"]}).json
    assert (whole["viewed"], whole["files"][0]["state"]) == (1, "viewed")
    opened = api.post(path, {**said, "viewed": False}).json["files"]
    assert [one["state"] for one in (opened[0], *opened[0]["hunks"])] == ["open", "viewed", "open"]
    assert api.get(f"{path}?path=nope").status_code == 404


def test_an_answer_lists_so_many_hunks_and_those_of_one_file_on_demand(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/tasks/{ended(api)['id']}/review"
    capture([file("a.txt"), file("b")], THREE + TWO)
    monkeypatch.setattr(reviewing, "LISTED_HUNKS", 2)
    assert [one["hunks"] is None for one in api.get(path).json["files"]] == [False, True]
    assert len(api.get(f"{path}?path=b").json["files"][0]["hunks"]) == 1


PATCH = (
    b"diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -1,3 +1,4 @@\n one\n-two\n+2\n+2.5\n three\n"
)
MOVED = (
    b"diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -1,3 +1,4 @@\n+zero\n one\n-two\n+2\n three\n"
)


def test_comments_quote_the_lines_they_are_about_and_are_outdated_when_these_change(api: Api) -> None:
    path = f"/tasks/{ended(api)['id']}/comments"
    capture([file("a.txt")], PATCH)
    said = {"path": "a.txt", "line": 2, "body": " Why? "}
    made = api.post(path, said).json
    assert (made["quote"], made["body"], made["state"], made["outdated"]) == ("2", "Why?", "draft", False)
    assert api.post(path, {**said, "last_line": 3}).json["quote"] == "2\n2.5"
    assert api.post(path, {**said, "side": "old"}).json["quote"] == "two"
    capture([file("a.txt", new_blob="9" * 40)], MOVED, "t2")
    assert [one["outdated"] for one in api.get(path).json] == [False, True, False]
    assert [one["line"] for one in api.get(path).json] == [3, 2, 2]
    capture([], b"", "t3")
    assert [one["outdated"] for one in api.get(path).json] == [True, True, True]
    assert len(api("DELETE", f"{path}/{made['id']}").json) == 2
    assert api("DELETE", f"{path}/{made['id']}").status_code == 404


def test_a_comment_that_can_be_about_nothing_is_refused_and_leaves_nothing(api: Api) -> None:
    path = f"/tasks/{ended(api)['id']}/comments"
    said = {"path": "a.txt", "line": 2, "body": "x"}
    assert api.post(path, said).status_code == 404
    capture([file("a.txt")], PATCH)
    refused = [
        ({"line": 9}, 400), ({"last_line": 1}, 400), ({"last_line": 900}, 400), ({"path": "b"}, 404),
        ({"line": 0}, 422), ({"body": " "}, 422), ({"body": "x" * 4001}, 422), ({"side": "left"}, 422),
    ]  # fmt: skip
    for wrong, status in refused:
        assert api.post(path, {**said, **wrong}).status_code == status, wrong
    assert api.get(path).json == []


def test_drafts_are_sent_once_as_one_message(api: Api) -> None:
    task = ended(api)
    path = f"/tasks/{task['id']}/comments"
    capture([file("a.txt")], PATCH)
    api.post(path, {"path": "a.txt", "line": 2, "last_line": 3, "body": "Round it."})
    api.post(path, {"path": "a.txt", "line": 2, "side": "old", "body": "Was better."})
    shell = api.post(f"{path}/send")
    assert (shell.status_code, "no agent" in shell.json["detail"]) == (409, True)
    Task.update(runner="codex").execute()
    assert api.post(f"{path}/send").status_code == 409  # there is no session to resume
    assert {one["state"] for one in api.get(path).json} == {"draft"}
    Task.update(runner_session_id="s1").execute()
    sent = api.post(f"{path}/send")
    assert (sent.status_code, sent.json["delivery"]) == (202, "session-resume")
    told = Attempt.get(Attempt.id == Task.get().live_attempt).message
    assert told == (
        "There are 2 review comments on your changes.\n\n1. a.txt, lines 2 to 3:\n> 2\n> 2.5\nRound it.\n\n"
        "2. a.txt, line 2 of the version before your changes:\n> two\nWas better."
    )
    assert {one["state"] for one in api.get(path).json} == {"sent"}
    assert "no draft" in api.post(f"{path}/send").json["detail"]


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
