"""A new worktree is made ready before its first agent: the person's own files, their command, ports of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import processes
from tests.installation import Installation, git, installed, repository
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installed(tmp_path_factory.mktemp("set-up")) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return repository(tmp_path / "repo")


def wish(installation: Installation, folder: Path, **defaults: Any) -> None:
    """Make the folder a workspace with these defaults."""
    row = installation.post("/workspaces/register", {"path": str(folder)}).body
    answer = installation.request("PATCH", f"/workspaces/{row['id']}", defaults)
    assert answer.status == 200, answer.body


def commit(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / name).write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "more")


def test_the_set_up_command_runs_once_and_before_the_agent(installation: Installation, folder: Path) -> None:
    commit(folder, **{".gitignore": "cache/\n"})
    wish(installation, folder, setup="mkdir cache && echo ready >> cache/state && echo set up")
    task = installation.run("cat cache/state", folder)
    assert installation.until(task)["status"] == "completed"
    installation.post(f"/tasks/{task}/start")
    wait_until(lambda: installation.output(task).count("ready") == 2, what="the second attempt to read it")
    said = [event["message"] for event in installation.events(task) if category(event) == "set-up"]
    assert said[0] == "Setting up the worktree: mkdir cache && echo ready >> cache/state && echo set up"
    assert said[1].strip() == "set up"
    assert said[2].startswith("Set-up command done in ")
    assert len(said) == 3


def category(event: dict[str, Any]) -> str | None:
    return (event["metadata"] or {}).get("category")


def test_a_failing_set_up_refuses_the_start_with_its_last_lines_and_is_tried_again(
    installation: Installation, folder: Path, tmp_path: Path
) -> None:
    wish(installation, folder, setup="echo no such package; exit 3")
    task = installation.run("echo ran", folder)
    ended = installation.until(task)
    assert ended["status"] == "failed"
    last = installation.events(task)[-1]["message"]
    assert "The set-up command failed with exit code 3: no such package" in last
    assert installation.output(task, "stdout")[-1:] != ["ran"]
    wish(installation, folder, setup="true")
    installation.post(f"/tasks/{task}/start")
    assert installation.until(task, "completed")["stop_reason"] is None


def test_a_failing_set_up_may_be_advice(installation: Installation, folder: Path) -> None:
    wish(installation, folder, setup="exit 3", setup_mode="advisory")
    task = installation.run("echo ran", folder)
    assert installation.until(task)["status"] == "completed"
    assert "Set-up command failed with exit code 3" in [
        event["message"] for event in installation.events(task)
    ]


def test_a_stop_ends_the_set_up_and_the_agent_never_runs(installation: Installation, folder: Path) -> None:
    wish(installation, folder, setup="echo begun; sleep 300")
    task = installation.run("echo ran", folder)
    wait_until(
        lambda: any(category(event) == "set-up" for event in installation.events(task)), what="the set-up"
    )
    installation.post(f"/tasks/{task}/stop")
    assert installation.until(task, "stopped")["stop_reason"] == "user"
    assert "ran" not in installation.output(task)
    assert not processes.carrying(installation.data / "worktrees" / task)


def test_a_worker_that_dies_during_the_set_up_leaves_it_to_the_next(
    installation: Installation, folder: Path, tmp_path: Path
) -> None:
    wish(installation, folder, setup="echo once >> times; while [ ! -e go ]; do sleep 0.05; done; rm go")
    task = installation.run("cat times", folder)
    times = installation.data / "worktrees" / task / "times"
    wait_until(times.exists, what="the set-up to begin")
    installation.kill(installation.workers.pop())
    installation.start_worker()
    (times.parent / "go").touch()
    assert installation.until(task)["status"] == "ready-for-review"
    assert installation.output(task).count("once") == 1


def test_files_that_worktreeinclude_names_are_copied_and_never_captured(
    installation: Installation, folder: Path, tmp_path: Path
) -> None:
    commit(
        folder,
        **{
            ".gitignore": ".env*\nsecret-link\n",
            ".worktreeinclude": ".env\nsub/.env.local\nloose.txt\nsecret-link\n",
        },
    )
    outside = tmp_path / "outside"
    outside.write_text("not for agents")
    (folder / ".env").write_text("A=1\n")
    (folder / "sub/.env.local").write_text("B=2\n")
    (folder / ".env.other").write_text("C=3\n")
    (folder / "loose.txt").write_text("not ignored")
    os.symlink(outside, folder / "secret-link")
    wish(installation, folder)
    task = installation.run("cat .env sub/.env.local; ls -a . sub", folder)
    assert installation.until(task)["status"] == "completed"
    printed = "\n".join(installation.output(task))
    assert "A=1" in printed
    assert "B=2" in printed
    assert ".env.other" not in printed
    assert "loose.txt" not in printed
    assert "secret-link" not in printed
    (told,) = [event for event in installation.events(task) if category(event) == "set-up"]
    assert told["message"] == "Copied what .worktreeinclude names: .env, sub/.env.local; left out secret-link"
    assert installation.get(f"/tasks/{task}/diff?refresh=1").body["files"] == []


def test_a_workspace_may_copy_nothing(installation: Installation, folder: Path) -> None:
    commit(folder, **{".gitignore": ".env\n", ".worktreeinclude": ".env\n"})
    (folder / ".env").write_text("A=1\n")
    wish(installation, folder, worktree_include=False)
    task = installation.run("cat .env || echo none", folder)
    installation.until(task)
    assert installation.output(task) == ["none"]


def test_the_repository_names_its_set_up_only_where_the_workspace_says_so(
    installation: Installation, folder: Path
) -> None:
    commit(folder, **{".openruntime.toml": 'setup = "echo from the repository > made"\n'})
    wish(installation, folder)
    task = installation.run("cat made || echo none", folder)
    installation.until(task)
    assert installation.output(task) == ["none"]
    wish(installation, folder, setup_from_repository=True)
    (folder / ".openruntime.toml").write_text('setup = "echo not committed > made"\n')
    other = installation.run("cat made", folder)
    installation.until(other)
    assert installation.output(other) == ["from the repository"]


def test_each_worktree_has_ports_of_its_own_until_it_is_gone(
    installation: Installation, folder: Path
) -> None:
    first = installation.run("echo $OPENRUNTIME_PORT_BASE $OPENRUNTIME_PORT_COUNT", folder)
    second = installation.run("echo $OPENRUNTIME_PORT_BASE", folder)
    installation.until(first)
    installation.until(second)
    base, count = installation.output(first)[0].split()
    assert (int(base) % 10, count) == (0, "10")
    assert installation.output(second) != [base]
    installation.post(f"/tasks/{first}/worktree/cleanup", {"force": True})
    third = installation.run("echo $OPENRUNTIME_PORT_BASE", folder)
    installation.until(third)
    assert installation.output(third) == [base]


def test_the_teardown_command_runs_before_the_worktree_goes(
    installation: Installation, folder: Path, tmp_path: Path
) -> None:
    wish(installation, folder, setup="true", teardown="echo bye $OPENRUNTIME_PORT_BASE; exit 1")
    task = installation.run("true", folder)
    installation.until(task)
    assert installation.post(f"/tasks/{task}/worktree/cleanup").status == 200
    said = [event["message"] for event in installation.events(task) if category(event) == "set-up"]
    assert said[-2].startswith("bye 2")
    assert said[-1] == "Teardown command failed with exit code 1"
