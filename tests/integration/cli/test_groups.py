"""`compare` and `pick`, against a stand-in for the server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.cli.conftest import Cli
from tests.integration.cli.standin_api import Api


@pytest.fixture
def group(api: Api) -> dict[str, Any]:
    """A group of two, of which one was checked and one still asks."""
    first = api.task("aaaa1111", group_id="g1", status="ready-for-review", runner="codex")
    second = api.task("bbbb2222", group_id="g1", status="needs-input")
    told = {
        "id": "g1",
        "picked": None,
        "tasks": [
            {
                **first,
                "options": {"model": "m-1"},
                "changes": {"files": 2, "added": 30, "removed": 4},
                "checks": [{"name": "fast", "state": "passed", "score": 0.8}, {"name": "lint", "state": "failed"}],
                "cost_ledger": {"runtime_millis": 61_400, "input_tokens": 900, "output_tokens": 100,
                                "cost_micros": 840_000},
                "denied_calls": 1,
            },
            {**second, "attention": "question", "changes": None, "checks": [], "denied_calls": 0},
        ],
    }  # fmt: skip
    api.answers["GET", "/groups/g1"] = 200, told
    return told


def test_the_tasks_for_a_goal_stand_beside_each_other(api: Api, cli: Cli, group: dict[str, Any]) -> None:
    heads, one, two = cli("compare", "bbbb").out.splitlines()
    assert heads.split()[:3] == ["ID", "STATUS", "RUNNER"]
    said = (
        "1",
        "aaaa1111",
        "ready-for-review",
        "codex m-1",
        "fast passed 0.8, lint failed",
        "+30 -4",
        "61 s",
        "1000",
        "$0.84",
    )
    assert all(part in one for part in said)
    assert "needs-input (question)" in two
    assert json.loads(cli("--json", "compare", "aaaa").out) == group


def test_the_files_say_who_changed_what(api: Api, cli: Cli, group: dict[str, Any]) -> None:
    first, second = (task["id"] for task in group["tasks"])

    def made(task: str, version: str) -> dict[str, Any]:
        return {"task_id": task, "status": "modified", "additions": 3, "deletions": 1, "version": version}

    files = [
        {"path": "both.py", "tasks": [made(first, "a"), made(second, "b")]},
        {"path": "one\x1b[31m.py", "tasks": [made(second, "a")]},
    ]
    api.answers["GET", "/groups/g1/files"] = 200, {"task_ids": [first, second], "total": 9, "files": files}
    done = cli("compare", "aaaa", "--files")
    heads, both, one = done.out.splitlines()
    assert heads.split() == ["TASK", "1", "TASK", "2", "FILE"]
    assert both.split() == ["+3", "-1", "a", "+3", "-1", "b", "both.py"]
    assert one.split()[:2] == ["+3", "-1"]
    assert one.split()[2].startswith("one")
    assert "\x1b" not in one
    assert "Only the first 2 of 9 files." in done.err


def test_one_is_picked_and_the_others_are_put_back(api: Api, cli: Cli, group: dict[str, Any]) -> None:
    first, second = group["tasks"]
    away = {
        **group,
        "picked": first["id"],
        "tasks": [first, {**second, "archived_at": "2026-01-01T00:00:00Z"}],
    }
    api.answers["POST", "/groups/g1/pick"] = 200, away
    api.answers["POST", "/groups/g1/unpick"] = 200, group
    assert cli("pick", "aaaa").out == "aaaa1111  picked; 1 archived\n"
    assert ("POST", "/groups/g1/pick", {"task_id": first["id"]}) in api.asked
    api.answers["GET", "/groups/g1"] = 200, away
    listed = cli("compare", "aaaa").out
    assert "ready-for-review (picked)" in listed
    assert "needs-input (archived, question)" in listed
    assert cli("pick", "aaaa", "--undo").out == "aaaa1111  the others are back\n"


def test_a_task_without_a_group_says_so(api: Api, cli: Cli) -> None:
    api.task("cccc3333", group_id=None)
    refused = cli("compare", "cccc")
    assert (refused.code, "it is the only one for its goal" in refused.err) == (1, True)
