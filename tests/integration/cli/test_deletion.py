"""`delete`, `deleted` and `undelete`: what is asked of the server, and what a person reads of the answer."""

from __future__ import annotations

from typing import Any

from tests.integration.cli.conftest import Cli
from tests.integration.cli.standin_api import Api

GONE: dict[str, Any] = {
    "id": "bbbb2222-0000-4000-8000-000000000000", "title": "Tidy up", "runner": "shell", "workspace": "/w",
    "status": "completed", "event_count": 3, "deleted_at": "2026-01-01T10:11:12Z", "kept_until": "2026-01-31T10:11:12Z",
}  # fmt: skip
PATH = f"/deleted-tasks/{GONE['id']}"


def test_a_task_is_deleted_or_the_deletion_waits_for_a_worker(api: Api, cli: Cli) -> None:
    id = api.task("aaaa1111")["id"]
    api.answers["DELETE", f"/tasks/{id}"] = 204, None
    assert cli("delete", "aaaa").out == "aaaa1111  deleted\n"
    api.answers["DELETE", f"/tasks/{id}"] = 202, {"task_id": id, "pending_command": {"kind": "delete"}}
    assert cli("delete", "aaaa").out == "aaaa1111  delete accepted, not yet done\n"


def test_deleted_tasks_are_listed_put_back_and_deleted_for_good(api: Api, cli: Cli) -> None:
    api.answers["GET", "/deleted-tasks"] = 200, [GONE]
    assert [row.split() for row in cli("deleted").out.splitlines()] == [
        ["ID", "DELETED", "KEPT", "UNTIL", "TITLE"],
        ["bbbb2222", "2026-01-01", "2026-01-31", "Tidy", "up"],
    ]
    api.answers["POST", f"{PATH}/restore"] = 200, {"id": GONE["id"], "status": "completed"}
    assert cli("undelete", "bbbb").out == "bbbb2222  put back, completed\n"
    api.answers["DELETE", PATH] = 204, None
    assert cli("delete", "--for-good", "bbbb").out == "bbbb2222  deleted for good\n"
    unknown = cli("undelete", "cccc")
    assert (unknown.code, "No deleted task" in unknown.err) == (1, True)
