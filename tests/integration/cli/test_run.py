"""`run`: what it creates, for which folder and runner, and what it says when the start is refused."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.integration.cli.conftest import Cli
from tests.integration.cli.standin_api import Api, problem


def created(api: Api) -> Any:
    return next(body for method, target, body in api.asked if (method, target) == ("POST", "/tasks"))


def test_run_creates_starts_and_prints_the_id(api: Api, cli: Cli) -> None:
    done = cli("run", "Fix", "the bug\nproperly")
    assert done.out.strip() in api.tasks
    assert created(api) == {
        "runner": "claude-code",
        "workspace": os.getcwd(),
        "title": "Fix the bug",
        "prompt": "Fix the bug\nproperly",
    }
    assert api.asked[-1][1].endswith("/start")


@pytest.mark.parametrize(
    ("goal", "command"),
    [(["ls", "-la", "a b"], "ls -la 'a b'"), (["echo a | wc -c"], "echo a | wc -c")],
)
def test_a_shell_command_is_words_or_one_line(api: Api, cli: Cli, goal: list[str], command: str) -> None:
    assert cli("run", "-r", "shell", "--", *goal).code == 0
    assert created(api)["command"] == command


def test_several_runners_make_a_group_and_each_task_is_started(api: Api, cli: Cli) -> None:
    done = cli("run", "-r", "claude-code", "-r", "codex", "Fix it")
    assert (done.code, done.out.split()) == (0, list(api.tasks))
    group = next(body for method, target, body in api.asked if (method, target) == ("POST", "/groups"))
    assert group["variants"] == [{"runner": "claude-code"}, {"runner": "codex"}]
    assert (group["prompt"], "runner" in group) == ("Fix it", False)
    assert [task["status"] for task in api.tasks.values()] == ["running", "running"]
    assert "/ui/groups/9" in done.err
    refused = cli("run", "-r", "codex", "-r", "codex", "--follow", "go")
    assert (refused.code, len(api.tasks)) == (1, 2)
    assert "--follow shows one task" in refused.err


def test_run_takes_options_and_a_registered_workspace_by_name(api: Api, cli: Cli) -> None:
    api.workspaces = [{"name": "site", "path": "/srv/site"}]
    options = ["-w", "site", "-r", "codex", "--preset", "auto-review", "--budget", "30", "--title", "T"]
    assert cli("run", *options, "go").code == 0
    sent = created(api)
    assert (sent["workspace"], sent["preset"], sent["budget_minutes"], sent["title"]) == (
        "/srv/site",
        "auto-review",
        30,
        "T",
    )


def test_without_an_agent_the_goal_is_a_shell_command_and_that_is_said(api: Api, cli: Cli) -> None:
    api.runners[1]["available"] = False
    done = cli("run", "true")
    assert created(api)["runner"] == "shell"
    assert "runs as a shell command" in done.err


def test_an_unknown_workspace_is_refused_before_anything_is_made(api: Api, cli: Cli) -> None:
    done = cli("run", "-w", "nowhere", "go")
    assert done.code == 1
    assert "neither a folder nor the name of a workspace" in done.err
    assert api.tasks == {}


def test_a_refused_start_still_names_the_task(api: Api, cli: Cli) -> None:
    api.answers["POST", "/tasks"] = lambda: (200, api.task("c0ffee00"))
    api.answers["POST", "/tasks/c0ffee00-0000-4000-8000-000000000000/start"] = problem(
        412, "Approve it first."
    )
    done = cli("run", "go")
    assert (done.code, done.err) == (1, "Task c0ffee00 was created but not started: Approve it first.\n")
