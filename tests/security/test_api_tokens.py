"""Tokens for programs: what they are good for, what they never do, and how they end."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from shared import workspaces
from shared.access import accounts, tokens
from shared.clock import now
from shared.config import Config
from shared.policy import FULL_ACCESS, PRESETS, Policy
from shared.policy.width import widened
from shared.secrets.redaction import MASK, Redactor
from shared.store.database import raw
from shared.store.models import ApiToken, Attempt, Task
from tests.unit.pages.conftest import Visitor
from tests.unit.web.conftest import Api

TASK = {"title": "t", "prompt": "p", "runner": "shell", "command": "true"}


@pytest.fixture
def program(client: FlaskClient, config: Config) -> Api:
    """A client with a minted token."""
    return Api(client, tokens.mint("ci", None)[1])


def test_a_token_is_shown_once_and_kept_as_its_hash(api: Api, config: Config) -> None:
    made = api.post("/tokens", {"name": "ci"}).json
    assert made["token"].startswith("or_token_")
    assert len(made["token"]) >= len("or_token_") + 43  # 256 bits
    listed = api.get("/tokens")
    assert [row["name"] for row in listed.json] == ["ci"]
    assert made["token"] not in listed.text
    stored = "\n".join(raw().iterdump())
    assert made["token"] not in stored
    assert accounts.digest(made["token"]) in stored


def test_our_own_tokens_are_masked_in_output(config: Config) -> None:
    for secret in (tokens.mint("x", None)[1], accounts.owner_token(config)):
        redactor = Redactor([])
        said = redactor.feed(f"echo {secret}\n".encode()) + redactor.flush()
        assert secret.encode() not in said
        assert MASK.encode() in said


def test_a_token_reads_creates_starts_answers_and_stops(program: Api, worker: Any) -> None:
    task = program.post("/tasks", TASK).json
    assert program.get("/tasks").json[0]["id"] == task["id"]
    for path in ("", "/events", "/diff", "/approvals", "/rules", "/replies", "/runner/logs"):
        assert program.get(f"/tasks/{task['id']}{path}").status_code == 200, path
    for path in ("/runners", "/workspaces", "/presets", "/costs", "/metrics", "/openapi.json"):
        assert program.get(path).status_code == 200, path
    assert program.post(f"/tasks/{task['id']}/start").json["status"] == "running"
    assert program.post(f"/tasks/{task['id']}/reply", {"message": "go on"}).status_code == 200
    worker.answer = lambda command: ("applied", {})
    assert program.post(f"/tasks/{task['id']}/stop").status_code in (200, 202)


OWNERS = [
    ("POST", "/tasks/{id}/approve", {}),
    ("POST", "/tasks/{id}/approvals/x", {"decision": "allow"}),
    ("POST", "/tasks/{id}/rules", {"tool": "*", "action": "allow"}),
    ("DELETE", "/tasks/{id}/rules/x", None),
    ("POST", "/tasks/{id}/mode", {"mode": "live"}),
    ("POST", "/tasks/{id}/worktree/merge", {}),
    ("POST", "/tasks/{id}/worktree/cleanup", {"force": True}),
    ("POST", "/tasks/{id}/archive", {}),
    ("DELETE", "/tasks/{id}", None),
    ("POST", "/workspaces/register", {"path": "/tmp"}),
    ("PATCH", "/workspaces/x", {"preset": "full-access"}),
    ("DELETE", "/workspaces/x", None),
    ("GET", "/tokens", None),
    ("POST", "/tokens", {}),
    ("DELETE", "/tokens/x", None),
    ("POST", "/login/links", {}),
    ("POST", "/ui/settings/tokens", None),
    ("GET", "/", None),
]


def test_a_token_never_decides(api: Api, program: Api) -> None:
    task = api.new(policy={"require_approval": True})
    program.get("/tasks")  # its first use is noted
    before = "\n".join(raw().iterdump())
    answers = {
        (method, path): program(method, path.format(id=task["id"]), body) for method, path, body in OWNERS
    }
    assert {asked: answer.status_code for asked, answer in answers.items() if answer.status_code != 403} == {}
    assert all("only the owner" in answer.text for answer in answers.values())
    assert "\n".join(raw().iterdump()) == before


def test_a_token_cannot_start_what_waits_for_approval(api: Api, program: Api) -> None:
    task = program.post("/tasks", {**TASK, "preset": "auto-review"}).json
    assert program.post(f"/tasks/{task['id']}/start").status_code == 412
    assert Attempt.select().count() == 0


WIDER: list[dict[str, Any]] = [
    {"preset": "full-access"},
    {"policy": {"allow_network": True}},
    {"policy": {"network_mode": "localhost"}},
    {"policy": {"allow_git_write": True}},
    {"policy": {"allow_secrets": True}},
    {"policy": {"blocked_commands": []}},
    {"policy": {"workspace_access": "full"}},
    {"policy": {"network_hosts": ["example.com"]}},
    {"policy": {"home_paths": ["~/tools"]}},
    {"policy": {"tool_rules": [{"tool": "*", "action": "allow"}]}},
    {"policy": {"tool_rules": [{"tool": "*", "action": "ask"}]}},
    {"env": ["DEPLOY_KEY"]},
]


def test_a_token_cannot_give_a_task_more_than_its_workspace_does(api: Api, program: Api) -> None:
    made = {str(more): program.post("/tasks", {**TASK, **more}).status_code for more in WIDER}
    assert {more: status for more, status in made.items() if status != 403} == {}
    assert Task.select().count() == 0
    for more in WIDER:
        owned = api.post("/tasks", {**TASK, **more}).json
        assert program.post(f"/tasks/{owned['id']}/start").status_code == 403, more
        assert program.post(f"/tasks/{owned['id']}/reply", {"message": "do"}).status_code == 403, more
    assert Attempt.select().count() == 0


def test_a_token_may_ask_for_less(program: Api) -> None:
    rule = {"tool": "Bash", "action": "deny"}
    less = {
        "require_approval": True,
        "max_runtime_minutes": 5,
        "enforcement": "required",
        "tool_rules": [rule],
    }
    assert program.post("/tasks", {**TASK, "policy": less}).status_code == 200


def test_what_the_workspace_gives_a_token_may_use(api: Api, program: Api, config: Config) -> None:
    home = api.new()["workspace"]
    row = workspaces.register(home, config.data)
    workspaces.change(row.id, {"preset": "full-access", "env": ["DEPLOY_KEY"]})
    assert program.post("/tasks", {**TASK, "preset": "full-access", "env": ["DEPLOY_KEY"]}).status_code == 200
    assert program.post("/tasks", {**TASK, "env": ["OTHER"]}).status_code == 403


def test_a_token_cannot_weaken_the_checks_of_its_workspace(api: Api, program: Api, config: Config) -> None:
    row = workspaces.register(api.new()["workspace"], config.data)
    assert program.post("/tasks", {**TASK, "verify": "true"}).status_code == 200
    workspaces.change(row.id, {"verify": "make test"})
    for weaker in ({"verify": "true"}, {"verify_mode": "off"}, {"checks": []}):
        assert program.post("/tasks", {**TASK, **weaker}).status_code == 403, weaker
    assert program.post("/tasks", {**TASK, "verify": "make test"}).status_code == 200


def test_every_field_of_a_policy_is_judged_in_one_direction() -> None:
    narrow = Policy(
        require_approval=True, enforcement="required", agent_home="private", budget_cents=1, max_runtime_minutes=1,
        approval_minutes=1, allowed_workspaces=("/a",), allowed_file_globs=("*.py",), allowed_mcp_tools=("x",),
        tool_rules=({"tool": "Bash", "action": "deny"},), blocked_commands=("a", "b"),
        max_memory_mib=1, max_disk_mib=1, max_processes=8,
    )  # fmt: skip
    wide = dataclasses.replace(FULL_ACCESS, network_hosts=("h",), home_paths=("p",))
    told = set(widened(wide, narrow))
    assert told == {field.name for field in dataclasses.fields(Policy)} - {"allow_network"}
    assert widened(narrow, wide) == []
    for preset in PRESETS.values():
        assert widened(preset, preset) == []


def test_a_revoked_token_ends_at_once(api: Api, program: Api) -> None:
    (row,) = api.get("/tokens").json
    assert program.get("/tasks").status_code == 200
    assert api("DELETE", f"/tokens/{row['id']}").status_code == 204
    assert program.get("/tasks").status_code == 401
    assert api("DELETE", f"/tokens/{row['id']}").status_code == 404


def test_an_expired_token_is_refused_and_still_listed(api: Api, program: Api) -> None:
    ApiToken.update(expires_at=now() - timedelta(seconds=1)).execute()
    assert program.get("/tasks").status_code == 401
    assert [row["expired"] for row in api.get("/tokens").json] == [True]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"expires_at": "2020-01-01T00:00:00Z"}, 400),
        ({"expires_at": "soon"}, 400),
        ({"expires_at": 3}, 422),
        ({"name": "x" * 101}, 422),
        ({"name": "a\0b"}, 400),
    ],
)
def test_an_unusable_wish_makes_no_token(api: Api, body: dict[str, Any], status: int) -> None:
    assert api.post("/tokens", body).status_code == status
    assert ApiToken.select().count() == 0


def test_a_token_lives_as_long_as_was_asked(api: Api) -> None:
    for body, expected in (({}, 90), ({"expires_at": None}, None), ({"expires_at": "2999-01-01"}, 2999)):
        made = api.post("/tokens", body).json
        if expected == 90:
            assert timedelta(days=89) < ApiToken.get_by_id(made["id"]).expires_at - now() < timedelta(days=91)
        else:
            assert (made["expires_at"] or "")[:4] == str(expected or "")


def test_its_last_use_is_noted_once_a_minute(api: Api, program: Api) -> None:
    assert api.get("/tokens").json[0]["last_used_at"] is None
    program.get("/tasks")
    first = api.get("/tokens").json[0]["last_used_at"]
    program.get("/tasks")
    assert first is not None
    assert api.get("/tokens").json[0]["last_used_at"] == first


def test_the_settings_page_mints_shows_once_and_revokes(visitor: Visitor, client: FlaskClient) -> None:
    page = visitor.send("/ui/settings/tokens", {"name": "<b>ci", "days": "7", "back": "/ui/settings"})
    assert page.status_code == 200
    secret = page.text.partition("<code>or_token_")[2].partition("<")[0]
    assert len(secret) == 43
    again = visitor.get("/ui/settings").text
    assert secret not in again
    assert "&lt;b&gt;ci" in again
    (row,) = tokens.listed()
    assert row.expires_at is not None
    assert visitor.send(f"/ui/settings/tokens/{row.id}/revoke").status_code == 303
    assert tokens.listed() == []
    assert visitor.send("/ui/settings/tokens", {"days": "0"}).status_code == 400


def test_other_browsers_can_be_signed_out(visitor: Visitor) -> None:
    other, _ = accounts.sign_in()
    assert "Another browser" in visitor.get("/ui/settings").text
    assert visitor.send("/ui/settings/sign-out-others").status_code == 303
    assert accounts.login(other) is None
    assert "Another browser" not in visitor.get("/ui/settings").text
