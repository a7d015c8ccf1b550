"""`diff A..B`: two tasks of a group, against a stand-in for the server."""

from __future__ import annotations

import base64

from openruntime.cli import comparing
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


def test_the_parts_of_a_long_change_are_printed_as_one() -> None:
    odd = {"patch": "caf\ufffd\n", "patch_b64": base64.b64encode(b"caf\xe9\n").decode(), "files": ["b"]}
    parts = [{"patch": PATCH, "files": ["a"], "next_cursor": "1", "stat": "s"}, {**odd, "next_cursor": None}]
    whole = comparing.joined(parts)
    assert (whole["files"], whole["next_cursor"], whole["stat"]) == (["a", "b"], None, "s")
    assert whole["patch"] == f"{PATCH}caf\ufffd\n"
    assert base64.b64decode(whole["patch_b64"]) == PATCH.encode() + b"caf\xe9\n"
    assert comparing.joined([odd]) is odd


def test_a_part_of_a_change_is_named_by_turn_review_attempt_or_two_states(api: Api, cli: Cli) -> None:
    id = api.task("aaaa1111")["id"]
    api.answers["GET", f"/tasks/{id}/diff"] = 200, {"stat": "", "patch": PATCH, "note": "Rebased in between."}
    for words, query in {
        ("--since", "review"): "?from=review",
        ("--since", "turn"): "?from=turn",
        ("--attempt", "2"): "?from=before-attempt-2&to=attempt-2",
        ("--from", "attempt-1", "--to", "attempt-2"): "?from=attempt-1&to=attempt-2",
        (): "",
    }.items():
        printed = cli("diff", "aaaa", *words)
        assert (printed.out, "Rebased in between." in printed.err) == (PATCH, True)
        assert api.asked[-1][1] == f"/tasks/{id}/diff{query}"
    for wrong in (("--since", "turn", "--attempt", "1"), ("--since", "noon"), ("--attempt", "0")):
        assert cli("diff", "aaaa", *wrong).code == 2
    assert cli("diff", "aaaa..aaaa", "--since", "turn").code == 2
