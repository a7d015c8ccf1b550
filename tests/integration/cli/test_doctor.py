"""`doctor` finds what is wrong without a server, names the fix, and exits 1 only for failures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from openruntime.cli import checks, remains
from openruntime.cli.checks import Check, Level
from openruntime.cli.context import Invocation
from shared.store.database import close, open_store
from shared.store.models import Attempt, Task
from tests.integration.cli.conftest import Cli
from tests.integration.cli.standin_api import Api
from tests.integration.cli.standins import ROOT, START


@pytest.fixture
def invocation(tmp_path: Path) -> Invocation:
    return Invocation(data=str(tmp_path / "data"))


@pytest.fixture
def store(invocation: Invocation) -> Iterator[None]:
    open_store(invocation.config)
    yield
    close()


def only(found: Iterator[Check]) -> Check:
    (check,) = found
    return check


def test_every_finding_has_a_level_and_a_failure_is_exit_1(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o755)
    done = cli("--json", "doctor")
    report = json.loads(done.out)
    by_name = {check["name"]: check for check in report["checks"]}
    assert (done.code, report["status"]) == (1, "fail")
    assert {check["status"] for check in report["checks"]} <= {"ok", "warn", "fail"}
    assert {"git", "shell", "codex", "claude-code", "sqlite", "server", "processes", "drift"} <= set(by_name)
    assert by_name["data"]["fix"] == f"chmod 0700 {tmp_path / 'data'}"


def test_people_see_the_fix_below_the_finding(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o755)
    lines = cli("doctor").out.splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("fail  data"))
    assert lines[place + 1].strip() == f"→ chmod 0700 {tmp_path / 'data'}"


def test_a_token_others_can_read_fails(invocation: Invocation) -> None:
    config = invocation.config
    config.data.mkdir(mode=0o700)
    config.token_file.write_text("x")
    config.token_file.chmod(0o640)
    found = {check.name: check.status for check in checks.permissions(invocation)}
    assert found == {"data": Level.OK, "token": Level.FAIL}


def test_a_missing_git_fails_with_what_to_install(tmp_path: Path) -> None:
    argv = [
        sys.executable,
        "-P",
        "-c",
        START.format(app=str(ROOT)),
        "--data",
        str(tmp_path),
        "doctor",
        "--json",
    ]
    done = subprocess.run(argv, env={**os.environ, "PATH": str(tmp_path)}, capture_output=True, timeout=60)
    (git,) = [check for check in json.loads(done.stdout)["checks"] if check["name"] == "git"]
    assert (done.returncode, git["status"]) == (1, "fail")
    assert "git 2.38" in git["detail"]


def test_a_missing_agent_is_a_remark_with_its_install_command(
    invocation: Invocation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claude = tmp_path / "claude"
    claude.write_text("#!/bin/sh\necho '2.1.0 (Claude Code)'\n")
    claude.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = {check.name: check for check in checks.runners(invocation)}
    assert found["claude-code"].detail == f"2.1.0 (Claude Code) ({claude})"
    assert (found["codex"].status, found["shell"].status) == (Level.WARN, Level.OK)
    assert "install" in found["codex"].fix


@pytest.mark.parametrize(("version", "level"), [((3, 40, 1), Level.WARN), ((3, 51, 3), Level.OK)])
def test_an_sqlite_with_the_wal_reset_race_is_a_warning(
    invocation: Invocation, monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...], level: Level
) -> None:
    monkeypatch.setattr("sqlite3.sqlite_version_info", version)
    assert only(checks.sqlite(invocation)).status is level


def test_a_running_server_is_seen(api: Api, invocation: Invocation) -> None:
    with closing(invocation):
        found = only(checks.server(invocation))
    assert (found.status, found.detail) == (Level.OK, f"http://127.0.0.1:{api.port} answers, 1 worker")


def test_a_check_that_breaks_is_a_finding_and_the_rest_goes_on(cli: Cli, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    (data / "openruntime.sqlite3").write_bytes(b"not a database at all, by any means" * 40)
    found = {check["name"]: check for check in json.loads(cli("--json", "doctor").out)["checks"]}
    assert "not a database" in found["drift"]["detail"]
    assert found["git"]["status"] == "ok"


def task(**fields: Any) -> Task:
    needed = {"prompt": "", "runner": "shell", "command": "true", "workspace": "/", "budget_minutes": 1}
    moments = {"created_at": 1, "updated_at": 1}
    return Task.create(
        title="t", status="stopped", preset="default", policy={}, **needed, **moments, **fields
    )


def test_a_process_that_outlived_its_attempt_is_named(invocation: Invocation, store: None) -> None:
    owner = task(id="11111111-0000-4000-8000-000000000000")
    common = {"task": owner.number, "runner": "shell", "queued_at": 1}
    Attempt.create(id="ended", attempt_number=1, status="stopped", finished_at=2, **common)
    Attempt.create(id="live", attempt_number=2, status="running", **common)
    agents = [
        subprocess.Popen(["sleep", "60"], env={"OPENRUNTIME_ATTEMPT_ID": name, "PATH": os.environ["PATH"]})
        for name in ("ended", "live")
    ]
    try:
        check = only(remains.stray_processes(invocation))
    finally:
        for agent in agents:
            agent.kill()
            agent.wait(10)
    assert check.status is Level.WARN
    assert check.fix == f"kill {agents[0].pid}"
    assert only(remains.stray_processes(invocation)).status is Level.OK


def test_worktrees_and_tasks_that_do_not_match_are_named(invocation: Invocation, store: None) -> None:
    worktrees = invocation.config.worktrees
    known, lost = "11111111-0000-4000-8000-000000000000", "22222222-0000-4000-8000-000000000000"
    for name in (known, "nobodys"):
        (worktrees / name).mkdir(parents=True)
    for name in (known, lost):
        task(id=name, worktree_path=str(worktrees / name))
    unknown, missing = remains.drift(invocation)
    assert unknown.detail.endswith(f"no task: {worktrees / 'nobodys'}")
    assert missing.detail.endswith(f"lost their worktree: {worktrees / lost}")
