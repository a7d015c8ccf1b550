"""Several tasks for one goal: made together, compared, and one of them picked."""

from __future__ import annotations

from typing import Any

import pytest

from shared import deletion, groups, tasks
from shared.lifecycle import Status
from shared.review import comparisons, landings, points
from shared.review.comparisons import ComparisonRecord
from shared.store.database import transaction
from shared.store.models import Approval, AuditEntry, Command, Task, TaskGroup
from tests.unit.web.conftest import Api, PlayedWorker
from tests.waiting import wait_until

GOAL = {"title": "Try", "prompt": "p", "command": "true", "variants": [{"runner": "shell"}] * 3}


def made(api: Api, **fields: Any) -> dict[str, Any]:
    answer = api.post("/groups", {**GOAL, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json  # type: ignore[no-any-return]


def test_a_group_holds_a_task_for_each_variant(api: Api) -> None:
    variants = [{"runner": "shell"}, {"runner": "claude-code", "model": "opus", "preset": "auto-review"}]
    group = made(api, variants=variants, labels=["race"], base_ref="main")
    shown = [api.get(f"/tasks/{task['id']}").json for task in group["tasks"]]
    assert [task["runner"] for task in shown] == ["shell", "claude-code"]
    assert [task["options"] for task in shown] == [{}, {"model": "opus"}]
    assert [task["preset"] for task in shown] == ["default", "auto-review"]
    assert {(task["title"], task["base_ref"], *task["labels"]) for task in shown} == {("Try", "main", "race")}
    assert {task["group_id"] for task in shown} == {group["id"]}
    assert {entry.detail["group"] for entry in AuditEntry.select().where(AuditEntry.kind == "create")} == {
        group["id"]
    }
    assert (group["picked"], group["base_commit"]) == (None, None)
    assert api.get(f"/groups/{group['id']}").json == group


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"variants": [{"runner": "shell"}]}, 422),
        ({"variants": [{"runner": "shell"}] * 9}, 422),
        ({"variants": [{"runner": "shell"}, {"runner": "nobody"}]}, 422),
        ({"variants": [{"runner": "shell"}, {"runner": "claude-code", "preset": "nobody's"}]}, 422),
        ({"workspace": "/nowhere/at/all"}, 400),
        ({"variants": [{"runner": "shell"}, {"runner": "claude-code"}], "prompt": " "}, 400),
    ],
)
def test_a_variant_that_cannot_be_leaves_nothing_of_the_others(
    api: Api, fields: dict[str, Any], status: int
) -> None:
    answer = api.post("/groups", {**GOAL, **fields})
    assert answer.status_code == status, answer.text
    assert (Task.select().count(), TaskGroup.select().count()) == (0, 0)


def test_a_repeated_request_gives_the_same_group(api: Api) -> None:
    key = {"headers": {"Idempotency-Key": "once"}}
    first = api.post("/groups", GOAL, **key).json
    assert api.post("/groups", GOAL, **key).json == first
    assert api.post("/groups", {**GOAL, "title": "Other"}, **key).status_code == 409
    both = {**GOAL, "runner": "shell"}
    assert api.post("/tasks", both, headers={"Idempotency-Key": "two"}).status_code == 200
    assert api.post("/groups", both, headers={"Idempotency-Key": "two"}).status_code == 409
    assert (Task.select().count(), TaskGroup.select().count()) == (4, 1)


def test_the_figures_are_those_of_each_task(api: Api) -> None:
    group = made(api)
    first, second, _ = (tasks.get(task["id"]) for task in group["tasks"])
    stat = " a.txt | 2 +-\n 2 files changed, 3 insertions(+), 1 deletion(-)\n"
    ledger = {"input_tokens": 10, "output_tokens": 5, "cost_micros": 20_000}
    with transaction():
        Task.update(diff_stat=stat, ledger=ledger).where(Task.number == first.number).execute()
        for number, status in enumerate(("denied", "denied", "allowed")):
            Approval.create(
                id=f"a{number}",
                task=second.number,
                attempt="x",
                request=str(number),
                status=status,
                tool="Bash",
                title="t",
                created_at=first.created_at,
            )
    shown = api.get(f"/groups/{group['id']}").json["tasks"]
    assert [task["changes"] for task in shown] == [{"files": 2, "added": 3, "removed": 1}, None, None]
    assert [task["denied_calls"] for task in shown] == [0, 2, 0]
    assert shown[0]["cost_ledger"]["cost_micros"] == 20_000


def test_picking_one_stops_and_archives_the_others_until_they_are_put_back(
    api: Api, worker: PlayedWorker
) -> None:
    group = made(api)
    kept, running, waiting = (task["id"] for task in group["tasks"])
    assert api.post(f"/tasks/{running}/start").json["status"] == "running"
    asked: list[tuple[str, str]] = []
    worker.answer = lambda command: (asked.append((command.kind, command.task.id)), ("left", {}))[1]
    path = f"/groups/{group['id']}"
    picked = api.post(f"{path}/pick", {"task_id": kept})
    assert (picked.status_code, picked.json["picked"]) == (200, kept)
    assert [bool(task["archived_at"]) for task in picked.json["tasks"]] == [False, True, True]
    assert tasks.get(waiting).status is Status.STOPPED
    wait_until(lambda: asked == [("stop", running)])
    assert [task["id"] for task in api.get("/tasks").json] == [kept]
    assert api.post(f"{path}/pick", {"task_id": kept}).json == picked.json
    assert api.post(f"{path}/pick", {"task_id": waiting}).status_code == 409
    back = api.post(f"{path}/unpick").json
    assert (back["picked"], [task["archived_at"] for task in back["tasks"]]) == (None, [None] * 3)
    assert api.post(f"{path}/unpick").json == back
    kinds = [entry.kind for entry in AuditEntry.select().where(AuditEntry.object == "group")]
    assert kinds == ["pick", "unpick"]


def test_what_was_archived_before_the_pick_stays_archived(api: Api) -> None:
    group = made(api)
    kept, away, _ = (task["id"] for task in group["tasks"])
    api.post(f"/tasks/{away}/archive")
    api.post(f"/groups/{group['id']}/pick", {"task_id": kept})
    back = api.post(f"/groups/{group['id']}/unpick").json["tasks"]
    assert [bool(task["archived_at"]) for task in back] == [False, True, False]


def test_only_a_task_of_the_group_can_be_picked(api: Api) -> None:
    group, alone = made(api), api.new()["id"]
    assert api.post(f"/groups/{group['id']}/pick", {"task_id": alone}).status_code == 400
    assert api.post(f"/groups/{alone}/pick", {"task_id": alone}).status_code == 404
    assert api.get("/groups/nonsense").status_code == 400
    assert groups.get(group["id"]).picked is None


def captured(task: Task, tree: str) -> None:
    record = landings.CaptureRecord("a" * 40, "e" * 40, tree * 40, "", [], b"", False, [])
    landings.keep_capture(task, record)


def test_two_tasks_of_a_group_are_compared_by_their_latest_states(api: Api, worker: PlayedWorker) -> None:
    group = made(api)
    first, second, third = (tasks.get(task["id"]) for task in group["tasks"])
    captured(first, "1")
    captured(second, "2")
    asked: list[dict[str, Any]] = []

    def compare(command: Command) -> tuple[str, dict[str, Any]]:
        asked.append(command.body)
        pair = points.pair(first, command.body["from"], command.body["to"], second)
        files = [
            {"path": name, "path_b64": None, "old_path": None, "status": "modified"} for name in ("a", "b")
        ]
        patch = b"diff --git a/a b/a\n@@ -1 +1 @@\n-x\n+\xff\ndiff --git a/b b/b\n@@ -1 +1 @@\n-x\n+y\n"
        record = ComparisonRecord("1" * 40, "2" * 40, " 2 files changed", files, patch, False)
        return "applied", {"comparison": comparisons.keep(pair, record).id}

    worker.answer = compare
    path = f"/groups/{group['id']}/diff"
    found = api.get(f"{path}?from={first.id}&to={second.id}").json
    assert (found["from"]["task_id"], found["to"]["task_id"]) == (first.id, second.id)
    assert (found["from"]["tree_oid"], found["to"]["tree_oid"]) == ("1" * 40, "2" * 40)
    assert [file["path"] for file in found["files"]] == ["a", "b"]
    assert (found["rebased"], found["truncated"], "patch_b64" in found) == (False, False, True)
    only = api.get(f"{path}?from={first.id}&to={second.id}&path=b").json
    assert only["patch"] == "diff --git a/b b/b\n@@ -1 +1 @@\n-x\n+y\n"
    assert [body["with"] for body in asked] == [second.id]
    outside = api.new()["id"]
    for query, status, said in (
        (f"from={first.id}&to={third.id}", 409, "Nothing of this task is captured yet."),
        (f"from={first.id}&to={first.id}", 400, "Choose two tasks"),
        (f"from={first.id}&to={outside}", 400, "Both tasks must belong to this group."),
        (f"from={first.id}&to={second.id}&path=c", 404, "not among"),
        (f"from={first.id}", 422, "to"),
        (f"from={first.id}&to={group['id']}", 404, ""),
    ):
        answer = api.get(f"{path}?{query}")
        assert (answer.status_code, said in answer.text) == (status, True), answer.text


def test_a_comparison_that_takes_long_is_answered_with_the_command(api: Api) -> None:
    first, second, _ = (tasks.get(task["id"]) for task in made(api)["tasks"])
    captured(first, "1")
    captured(second, "2")
    answer = api.get(f"/groups/{first.group_id}/diff?from={first.id}&to={second.id}")
    assert (answer.status_code, answer.json["pending_command"]["kind"]) == (202, "compare")


def test_a_group_is_gone_with_its_last_task_and_comes_back_with_one(api: Api) -> None:
    group = made(api)
    path = f"/groups/{group['id']}"
    for count, task in enumerate(group["tasks"], start=1):
        deletion.hide(tasks.get(task["id"]))
        assert api.get(path).status_code == (404 if count == 3 else 200)
    first = deletion.put_back(deletion.find(group["tasks"][0]["id"]))
    assert [task["id"] for task in api.get(path).json["tasks"]] == [first.id]
    for count, task in enumerate(group["tasks"], start=1):
        if count == 1:
            deletion.hide(first)
        deletion.forget(deletion.find(task["id"]))
        assert TaskGroup.select().count() == (0 if count == 3 else 1)
