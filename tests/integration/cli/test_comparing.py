"""`diff A..B`: two tasks of a group, against a stand-in for the server."""

from __future__ import annotations

from tests.integration.cli.conftest import Cli
from tests.integration.cli.standin_api import Api

PATCH = "diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n-one\n+two\n"


def test_two_tasks_of_a_group_are_compared_by_both_ids(api: Api, cli: Cli) -> None:
    first, second = api.task("aaaa1111", group_id="g1"), api.task("bbbb2222", group_id="g1")
    alone = api.task("cccc3333", group_id=None)
    path = "GET", "/groups/g1/diff"
    api.answers[path] = 200, {"stat": " a | 2 +-\n", "patch": PATCH, "truncated": False}
    assert cli("diff", "aaaa..bbbb").out == PATCH
    assert f"/groups/g1/diff?from={first['id']}&to={second['id']}" in [target for _, target, _ in api.asked]
    api.answers[path] = 202, {"task_id": first["id"], "pending_command": {}}
    assert "No worker has compared them yet" in cli("diff", "aaaa..bbbb").err
    refused = cli("diff", "cccc..aaaa")
    assert (refused.code, alone["id"][:8] in refused.err, "has no group" in refused.err) == (1, True, True)
