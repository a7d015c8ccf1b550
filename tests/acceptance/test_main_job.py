"""The main job, from nothing to landed, through the API and through the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests import processes
from tests.installation import OPEN, Installation, git, installed, repository
from tests.waiting import wait_until

ASKING = "printf 'Which name? '; read name; echo hello $name > hello.txt; echo four >> a.txt"


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installed(tmp_path_factory.mktemp("main-job")) as running:
        yield running


def test_a_shell_task_goes_from_nothing_to_landed_and_leaves_only_its_recovery_ref(
    installation: Installation, tmp_path: Path
) -> None:
    folder = repository(tmp_path / "repo")
    before = git(folder, "rev-parse", "HEAD")
    task = installation.create(ASKING, folder, title="Say hello")
    task_id = task["id"]
    assert task["status"] == "queued"

    started = installation.post(f"/tasks/{task_id}/start")
    assert (started.status, started.body["status"]) == (200, "running")
    waiting = installation.until(task_id, "needs-input")
    assert waiting["attention"] == "question"
    assert "Which name?" in "".join(installation.output(task_id))

    replied = installation.post(f"/tasks/{task_id}/reply", {"message": "world"})
    assert (replied.status, replied.body["status"]) == (200, "running")
    ready = installation.until(task_id)
    assert ready["status"] == "ready-for-review"
    assert git(folder, "status", "--porcelain") == ""

    diff = installation.get(f"/tasks/{task_id}/diff").body
    assert {item["path"] for item in diff["files"]} == {"a.txt", "hello.txt"}
    assert "+hello world" in diff["patch"]
    preview = installation.post(f"/tasks/{task_id}/worktree/preview").body
    assert preview["clean"] is True

    merged = installation.post(f"/tasks/{task_id}/worktree/merge", {"head_oid": preview["head_oid"]})
    assert merged.status == 200, merged.body
    assert merged.body["task"]["status"] == "completed"
    assert git(folder, "rev-list", "--count", f"{before}..main") == "1"
    assert (folder / "hello.txt").read_text() == "hello world\n"
    assert git(folder, "status", "--porcelain") == ""
    assert installation.post(f"/tasks/{task_id}/worktree/merge").status == 409

    cleaned = installation.post(f"/tasks/{task_id}/worktree/cleanup")
    assert cleaned.status == 200, cleaned.body
    refs = git(folder, "for-each-ref", "--format=%(refname)").split()
    assert refs == ["refs/heads/main", f"refs/openruntime/recovery/{task_id}"]
    assert len(git(folder, "worktree", "list").splitlines()) == 1
    assert not list((installation.data / "worktrees").glob("*"))
    assert not list((installation.data / "attempts").glob("*"))
    assert not (folder / ".git/worktrees").exists()
    assert "+hello world" in installation.get(f"/tasks/{task_id}/diff").body["patch"], (
        "the diff outlives the worktree"
    )


def test_a_cleanup_that_would_lose_work_is_refused_until_it_is_forced(
    installation: Installation, tmp_path: Path
) -> None:
    folder = repository(tmp_path / "repo")
    task_id = installation.run("echo lost? > work.txt", folder)
    task = installation.until(task_id)
    refused = installation.post(f"/tasks/{task_id}/worktree/cleanup")
    assert (refused.status, refused.body["slug"]) == (409, "unmerged-work")
    assert (Path(task["worktree_path"]) / "work.txt").exists()
    forced = installation.post(f"/tasks/{task_id}/worktree/cleanup", {"force": True})
    assert forced.status == 200
    assert git(folder, "show", f"refs/openruntime/recovery/{task_id}:work.txt") == "lost?"


def test_a_conflict_is_named_and_changes_nothing(installation: Installation, tmp_path: Path) -> None:
    folder = repository(tmp_path / "repo")
    task_id = installation.run("echo theirs > a.txt", folder)
    installation.until(task_id)
    (folder / "a.txt").write_text("mine\n")
    git(folder, "commit", "-qam", "mine")
    refused = installation.post(f"/tasks/{task_id}/worktree/merge")
    assert refused.status == 409
    assert [item["path"] for item in refused.body["conflicts"]] == ["a.txt"]
    assert (folder / "a.txt").read_text() == "mine\n"


def test_a_hook_planted_by_an_uncontained_agent_blocks_the_merge(
    installation: Installation, tmp_path: Path
) -> None:
    folder = repository(tmp_path / "repo")
    hook = folder / ".git/hooks/post-merge"
    plant = f"printf '#!/bin/sh\\ntouch {tmp_path}/ran\\n' > {hook}; chmod +x {hook}; echo work > work.txt"
    task_id = installation.run(plant, folder, policy=None, preset="full-access")
    assert installation.until(task_id)["status"] == "ready-for-review"
    refused = installation.post(f"/tasks/{task_id}/worktree/merge")
    assert refused.status == 409
    assert f"hook {hook}: added" in refused.body["detail"]
    assert not (tmp_path / "ran").exists()
    assert not (folder / "work.txt").exists()


def test_a_restarted_task_goes_on_in_its_worktree(installation: Installation, tmp_path: Path) -> None:
    folder = repository(tmp_path / "repo")
    task_id = installation.run("echo again >> log.txt; wc -l < log.txt", folder)
    installation.until(task_id)
    assert installation.post(f"/tasks/{task_id}/start").status == 200
    task = installation.until(task_id)
    assert [item["attempt_number"] for item in task["attempts"]] == [1, 2]
    assert installation.output(task_id) == ["1", "2"]


def test_a_merged_task_can_run_and_land_again(installation: Installation, tmp_path: Path) -> None:
    folder = repository(tmp_path / "repo")
    task_id = installation.run("date +%N >> stamps.txt", folder)
    for round_number in (1, 2):
        installation.until(task_id)
        assert installation.post(f"/tasks/{task_id}/worktree/merge", {"cleanup": True}).status == 200
        assert len((folder / "stamps.txt").read_text().splitlines()) == round_number
        if round_number == 1:
            assert installation.post(f"/tasks/{task_id}/start").status == 200
    assert git(folder, "rev-list", "--count", "main") == "3"


class Shell:
    """The command line against one data directory."""

    def __init__(self, data: Path, home: Path, **more: str) -> None:
        self.environment = {**os.environ, "OPENRUNTIME_DATA": str(data), "PORT": "0", **more}
        self.home = home

    def __call__(self, *words: str, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "openruntime", *words],
            env=self.environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout


def test_the_same_job_by_the_command_line_and_ctrl_c_leaves_nothing_running(
    tmp_path: Path, home: Path
) -> None:
    folder = repository(tmp_path / "repo")
    data = tmp_path / "data"
    shell = Shell(data, home)
    up = subprocess.Popen(
        [sys.executable, "-P", "-m", "openruntime", "up"],
        env=shell.environment,
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert up.stdout is not None
    try:
        wait_until(lambda: (data / "instance.json").exists(), 20, what="up to serve")
        wait_until(lambda: json.loads(shell("--json", "runners")), 20, ignoring=(AssertionError,))
        task_id = shell("--json", "run", "-w", str(folder), "-r", "shell", "--", ASKING)
        found = json.loads(task_id)
        task_id = found["id"] if isinstance(found, dict) else str(found)
        prefix = task_id[:8]

        def status() -> str:
            return str(json.loads(shell("--json", "show", prefix))["status"])

        wait_until(lambda: status() == "needs-input", 30)
        shell("reply", prefix, "shell")
        wait_until(lambda: status() == "ready-for-review", 30)
        assert "hello.txt" in shell("diff", "--stat", prefix)
        assert "+hello shell" in shell("diff", prefix)
        assert "Which name?" in shell("logs", prefix)
        shell("merge", prefix)
        assert (folder / "hello.txt").read_text() == "hello shell\n"
        shell("cleanup", prefix)
        assert prefix in shell("ps")

        sleeper = shell("--json", "run", "-w", str(tmp_path), "-r", "shell", "--", "sleep 6010 & sleep 6020")
        found = json.loads(sleeper)
        sleeper = found["id"] if isinstance(found, dict) else str(found)
        wait_until(lambda: json.loads(shell("--json", "show", sleeper[:8]))["status"] == "running", 30)
    finally:
        up.send_signal(signal.SIGINT)
        said = up.communicate(timeout=30)[0]
    assert up.returncode in (0, 130), said
    wait_until(lambda: not processes.carrying(data), 5, what="nothing of it to run")
    left = [item.info["cmdline"] for item in psutil.process_iter(["cmdline"])]
    assert not [words for words in left if words and words[0] == "sleep" and words[1] in ("6010", "6020")]


def test_an_open_policy_is_shown_as_what_it_is(installation: Installation, tmp_path: Path) -> None:
    task = installation.create("true", tmp_path)
    assert task["policy"]["allow_network"] is OPEN["allow_network"]
    assert task["preset"] == "custom"
