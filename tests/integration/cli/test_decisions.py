"""`approve` and `deny`: the start gate, the only pending request, or a list of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.cli.conftest import Cli
from tests.integration.cli.standin_api import Api


def gated(api: Api) -> dict[str, Any]:
    return api.task("aaaa1111", status="needs-input", policy={"require_approval": True})


def request(api: Api, task: dict[str, Any], identity: str, status: str = "pending") -> None:
    row = {"id": identity, "status": status, "tool": "Bash", "title": f"Run {identity}"}
    api.approvals.setdefault(task["id"], []).append(row)


def test_approve_opens_the_start_gate(api: Api, cli: Cli) -> None:
    task = gated(api)
    assert cli("approve", "aaaa").out == "aaaa1111  running\n"
    assert api.asked[-1] == ("POST", f"/tasks/{task['id']}/approve", {})


def test_deny_at_the_start_gate_stops_the_task(api: Api, cli: Cli) -> None:
    gated(api)
    assert cli("deny", "aaaa").out == "aaaa1111  stopped\n"


def test_the_only_pending_request_is_meant(api: Api, cli: Cli) -> None:
    task = api.task("aaaa1111", status="needs-input")
    request(api, task, "r-old", "expired")
    request(api, task, "r-new")
    assert cli("approve", "aaaa").out == "r-new  allowed  Run r-new\n"
    assert cli("deny", "aaaa", "--reason", "no").out == "r-new  denied  Run r-new\n"
    path = f"/tasks/{task['id']}/approvals/r-new"
    assert api.asked[-1] == ("POST", path, {"decision": "deny", "note": "no"})


def test_several_pending_requests_are_listed_and_none_is_decided(api: Api, cli: Cli) -> None:
    task = api.task("aaaa1111", status="needs-input")
    request(api, task, "r-1")
    request(api, task, "r-2")
    done = cli("approve", "aaaa")
    assert (done.code, done.err) == (1, "2 requests wait; name one: r-1 Run r-1; r-2 Run r-2.\n")
    assert cli("approve", "aaaa", "r-2").code == 0


@pytest.mark.parametrize("word", ["approve", "deny"])
def test_a_running_task_that_waits_for_nothing_is_left_alone(api: Api, cli: Cli, word: str) -> None:
    api.task("aaaa1111", status="running")
    done = cli(word, "aaaa")
    assert (done.code, done.err) == (1, "Nothing waits for a decision on task aaaa1111.\n")
    assert all(method == "GET" for method, _, _ in api.asked)


def test_approve_may_allow_the_same_for_the_rest_of_the_task(api: Api, cli: Cli) -> None:
    task = api.task("aaaa1111", status="needs-input")
    request(api, task, "r-1")
    assert cli("approve", "--task", "--reason", "safe", "aaaa").code == 0
    body = {"decision": "allow", "scope": "task", "note": "safe"}
    assert api.asked[-1] == ("POST", f"/tasks/{task['id']}/approvals/r-1", body)


def test_approve_for_the_task_says_when_no_rule_can_be_made(api: Api, cli: Cli) -> None:
    task = api.task("aaaa1111", status="needs-input")
    request(api, task, "r-1")
    api.approvals[task["id"]][0]["task_rule"] = None
    done = cli("approve", "--task", "aaaa")
    assert (done.code, done.err) == (1, "No rule can be made of this request; approve it without --task.\n")
    gated(api)
    assert cli("approve", "--task", "bbbb").code != 0
    assert all(method == "GET" for method, _, _ in api.asked)
