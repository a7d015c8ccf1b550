"""Presets in the composer and on the policy page: chosen, kept, removed; a policy changed until it is frozen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shared import fleet, tasks, workspaces
from shared.store.models import Task, Workspace
from tests.unit.pages.conftest import Visitor
from tests.unit.web.conftest import Api


@pytest.fixture
def shop(tmp_path: Path) -> Workspace:
    """A registered workspace with a preset and a policy of its own."""
    folder = tmp_path / "shop"
    folder.mkdir()
    row = workspaces.register(str(folder), tmp_path)
    return workspaces.change(
        row.id, {"presets": {"careful": {"require_approval": True}}, "policy": {"budget_cents": 90}}
    )


def options(page: str) -> list[tuple[str, bool]]:
    select = page.partition('id="preset"')[2].partition("</select>")[0]
    return [
        (name, bool(mark)) for name, mark in re.findall(r'<option value="([^"]*)"[^>]*?( selected)?>', select)
    ]


def test_the_composer_offers_what_the_workspace_has(visitor: Visitor, shop: Workspace) -> None:
    found = options(visitor.get(f"/ui/presets?workspace={shop.path}").text)
    assert found == [
        ("", True),
        ("default", False),
        ("auto-review", False),
        ("full-access", False),
        ("careful", False),
    ]
    assert options(visitor.get("/ui/presets?workspace=/nowhere").text)[0] == ("default", True)
    assert options(visitor.get(f"/?compose=1&workspace={shop.path}").text) == found
    assert "As Default, but budget cents 90." in visitor.get(f"/ui/presets?workspace={shop.path}").text


@pytest.mark.parametrize(
    ("preset", "cents", "gated"), [("", 90, False), ("careful", None, True), ("default", None, False)]
)
def test_a_composed_task_begins_with_what_was_chosen(
    visitor: Visitor, shop: Workspace, preset: str, cents: int | None, gated: bool
) -> None:
    sent = {"goal": "ls", "runner": "shell", "workspace": shop.path, "preset": preset, "key": "k"}
    assert visitor.send("/ui/compose", sent).status_code == 303
    found = tasks.policy_of(Task.get())
    assert (found.budget_cents, found.require_approval) == (cents, gated)


def test_the_policy_page_says_what_differs_and_what_was_found(visitor: Visitor, api: Api) -> None:
    fleet.publish_runners([fleet.RunnerState("claude-code", True, "claude")])
    task = api.new(runner="claude-code", prompt="Run `curl <b>x`", policy={"budget_cents": 7})
    page = visitor.get(f"/ui/tasks/{task['id']}/policy").text
    assert f'title="{task["policy_hash"]}"' in page
    assert "budget cents <code>7</code>" in page
    assert "Found in the goal." in page
    assert "The command is blocked by the policy: curl." in page


def test_a_policy_is_changed_on_its_page_until_it_is_frozen(visitor: Visitor, api: Api) -> None:
    task = api.new()
    path = f"/ui/tasks/{task['id']}/policy"
    assert visitor.send(f"{path}/change", {"preset": "auto-review", "back": path}).status_code == 303
    assert api.get(f"/tasks/{task['id']}").json["preset"] == "auto-review"
    assert api.post(f"/tasks/{task['id']}/start").status_code == 412
    assert f"{path}/change" not in visitor.get(path).text
    refused = visitor.send(f"{path}/change", {"preset": "default", "back": path})
    assert (refused.status_code, "frozen" in refused.text) == (409, True)


def test_a_policy_is_kept_as_a_preset_and_removed_again(visitor: Visitor, api: Api, tmp_path: Path) -> None:
    task = api.new(policy={"budget_cents": 7, "tool_rules": [{"tool": "Bash", "action": "ask"}]})
    path = f"/ui/tasks/{task['id']}/policy"
    refused = visitor.send(f"{path}/keep", {"name": "default", "back": path})
    assert (refused.status_code, "cannot name a preset" in refused.text) == (422, True)
    assert visitor.send(f"{path}/keep", {"name": "cheap", "back": path}).status_code == 303
    (row,) = Workspace.select()
    assert row.defaults["presets"]["cheap"]["budget_cents"] == 7
    assert api.new(preset="cheap")["policy"] == task["policy"]
    rules = f"/ui/workspaces/{row.id}/rules"
    assert "As Default, but budget cents 7;" in visitor.get(rules).text
    assert (
        visitor.send(f"/ui/workspaces/{row.id}/presets/remove", {"name": "cheap", "back": rules}).status_code
        == 303
    )
    assert "presets" not in workspaces.get(row.id).defaults


def test_a_workspace_begins_with_a_preset_of_its_own(visitor: Visitor, shop: Workspace) -> None:
    path = f"/ui/workspaces/{shop.id}/defaults"
    assert visitor.send(path, {"preset": "careful", "back": "/ui/workspaces"}).status_code == 303
    assert workspaces.get(shop.id).defaults["preset"] == "careful"
    assert visitor.send(path, {"preset": "nothing", "back": "/ui/workspaces"}).status_code == 422


def test_an_approval_from_a_page_is_for_the_policy_it_shows(visitor: Visitor, api: Api) -> None:
    task = api.new(preset="auto-review")
    assert api.post(f"/tasks/{task['id']}/start").status_code == 412
    for path in ("/ui/inbox", f"/ui/tasks/{task['id']}"):
        assert f'name="policy_hash" value="{task["policy_hash"]}"' in visitor.get(path).text
    approve = f"/ui/tasks/{task['id']}/approve"
    assert visitor.send(approve, {"policy_hash": "0" * 64}).status_code == 409
    assert visitor.send(approve, {"policy_hash": task["policy_hash"]}).status_code == 303
    assert api.get(f"/tasks/{task['id']}").json["attempts"]
