"""What a task begins with: presets, a workspace's own ones, its default policy and its grants; and which folders they may name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared import policy, tasks, workspaces
from shared.errors import WrongShape
from shared.policy import Policy, places, presets
from tests.unit.shared.played import Board


def place(board: Board, **defaults: Any) -> str:
    row = workspaces.register(str(board.home), board.home)
    workspaces.change(row.id, defaults)
    return str(row.id)


def test_a_task_begins_with_its_workspace_s_policy_and_its_own_keys_change_it(board: Board) -> None:
    place(board, preset="auto-review", policy={"budget_cents": 50, "approval_minutes": 5})
    task = board.new(policy={"budget_cents": 70})
    found = tasks.policy_of(task)
    assert (found.require_approval, found.budget_cents, found.approval_minutes) == (True, 70, 5)
    assert task.preset == "custom"


def test_a_named_preset_leaves_the_workspace_s_own_keys_aside(board: Board) -> None:
    place(board, preset="auto-review", policy={"budget_cents": 50})
    task = board.new(preset="default")
    assert (task.preset, tasks.policy_of(task)) == ("default", Policy())


def test_a_preset_of_one_s_own_is_named_by_the_tasks_that_match_it(board: Board) -> None:
    id = place(board, presets={"careful": {"require_approval": True, "budget_cents": 10}})
    assert board.new(preset="careful").preset == "careful"
    assert board.new(policy={"require_approval": True, "budget_cents": 10}).preset == "careful"
    assert board.new(preset="careful", policy={"budget_cents": 11}).preset == "custom"
    workspaces.change(id, {"preset": "careful", "presets": {"quick": {"allow_network": True}}})
    assert board.new().preset == "careful"
    workspaces.change(id, {"preset": None, "presets": {"careful": None}})
    assert list(workspaces.get(id).defaults["presets"]) == ["quick"]
    with pytest.raises(WrongShape, match="careful"):
        board.new(preset="careful")


def test_what_a_workspace_grants_belongs_to_every_task_of_it(board: Board) -> None:
    place(board, network_hosts=["db.example"], home_paths=["~/tools"])
    task = board.new(preset="default", policy={"network_hosts": ["own.example"]})
    assert tasks.policy_of(task).network_hosts == ("own.example",)
    task = board.new()
    assert (tasks.policy_of(task).network_hosts, tasks.policy_of(task).home_paths) == (
        ("db.example",),
        ("~/tools",),
    )
    assert task.preset == "default"


@pytest.mark.parametrize(
    ("defaults", "field"),
    [
        ({"preset": "nothing"}, "preset"),
        ({"presets": {"default": {}}}, "presets"),
        ({"presets": {"": {}}}, "presets"),
        ({"presets": {"a/b": {}}}, "presets"),
        ({"presets": {"x" * 41: {}}}, "presets"),
        ({"presets": {f"p{number}": {} for number in range(21)}}, "presets"),
        ({"presets": {"mine": {"home_paths": ["/etc"]}}}, "home_paths"),
        ({"policy": {"allowed_workspaces": ["here"]}}, "allowed_workspaces"),
        ({"home_paths": ["~/.ssh"]}, "home_paths"),
    ],
)
def test_defaults_no_task_could_begin_with_are_refused(
    board: Board, defaults: dict[str, Any], field: str
) -> None:
    id = place(board, preset="auto-review")
    with pytest.raises(WrongShape) as refused:
        workspaces.change(id, defaults)
    assert refused.value.extra["field"] == field
    assert workspaces.get(id).defaults == {"preset": "auto-review"}


def test_the_default_preset_cannot_be_taken_away_below_it(board: Board) -> None:
    id = place(board, presets={"mine": {}}, preset="mine")
    with pytest.raises(WrongShape, match="mine"):
        workspaces.change(id, {"presets": {"mine": None}})


@pytest.mark.parametrize("name", policy.PRESETS)
def test_differences_are_the_fields_that_are_not_as_in_the_preset(name: str) -> None:
    start = policy.PRESETS[name]
    assert presets.differences(start, start) == {}
    assert presets.differences(policy.from_json({"budget_cents": 5}, start), start) == {"budget_cents": 5}


HOME = Path("/home/ada")


@pytest.mark.parametrize(
    "text", ["~/tools", "/home/ada/tools", "~/.config/nvim", "~/.cargo/registry", "~/.sshd"]
)
def test_a_folder_of_home_may_be_named(text: str) -> None:
    places.check({"home_paths": [text]}, HOME)


@pytest.mark.parametrize(
    "text",
    [
        "tools",
        "",
        "~",
        "~/",
        "/",
        "/home/ada",
        "/home/adam",
        "/etc",
        "~/../eve",
        "/home/ada/../eve",
        "~eve/x",
        "a\0b",
        "~/a\0",
    ],
)
def test_what_is_no_folder_in_home_is_refused(text: str) -> None:
    with pytest.raises(WrongShape, match="home_paths"):
        places.check({"home_paths": [text]}, HOME)


@pytest.mark.parametrize(
    "text", ["~/.ssh", "~/.ssh/keys", "/home/ada/.aws", "~/.config", "~/.config/gh/hosts.yml", "~/.local"]
)
def test_a_place_of_keys_may_be_named_only_where_secrets_are_allowed(text: str) -> None:
    with pytest.raises(WrongShape, match="keys lie"):
        places.check({"home_paths": [text]}, HOME)
    places.check({"home_paths": [text], "allow_secrets": True}, HOME)


def test_a_link_in_home_is_judged_by_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / "handy").symlink_to(tmp_path / ".ssh")
    (tmp_path / "out").symlink_to("/etc")
    for name in ("handy", "out"):
        with pytest.raises(WrongShape):
            places.check({"home_paths": [f"~/{name}"]}, tmp_path)


@pytest.mark.parametrize("text", ["srv", "../srv", "/srv/../etc", "~nobody/x", "a\0"])
def test_an_allowed_workspace_is_written_whole(text: str) -> None:
    with pytest.raises(WrongShape, match="allowed_workspaces"):
        places.check({"allowed_workspaces": [text]}, HOME)
    places.check({"allowed_workspaces": ["/srv", "~/work", "~"]}, HOME)
