"""A push sends a task's work, or what it landed as, to a branch of a remote; nothing of the repository runs.

The remotes are bare repositories on this disk, under an address of a well-known host where that matters. `gh` and `glab`
cannot be had here: small programs stand in for them and keep what they were told.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest

from shared import commands, tasks
from shared.commands import CommandKind, State
from shared.store.models import AuditEntry, Command, Event
from tests.integration.landing.conftest import WORKER, Landing
from workers import work
from workers.landing import push

PUSH, PREVIEW = CommandKind.PUSH, CommandKind.PUSH_PREVIEW
GITHUB = "https://me:hunter2hunter2@github.com/owner/name.git"
STAND_IN = """#!/usr/bin/env python3
import json, os, sys
said = {{"argv": sys.argv[1:], "stdin": sys.stdin.read(), "cwd": os.listdir(), "env": sorted(os.environ)}}
json.dump(said, open({log!r}, "w"))
print({says!r})
sys.exit({code})
"""


@pytest.fixture
def remote(site: Landing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bare repository that `origin` leads to: by the account's own configuration, as its credentials would."""
    place = tmp_path / "remote.git"
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(f'[url "{place}"]\n  insteadOf = {GITHUB}\n')
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    site.sh(f"git init -q --bare -b main {place}; git push -q {place} main; git remote add origin {GITHUB}")
    return place


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Callable[[], dict]]:
    def install(name: str, says: str = "https://github.com/owner/name/pull/7", code: int = 0):
        log = tmp_path / f"{name}.json"
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        program = folder / name
        program.write_text(STAND_IN.format(log=str(log), says=says, code=code))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        return lambda: json.loads(log.read_text())

    return install


def messages(task) -> str:
    return "\n".join(event.message for event in Event.select().where(Event.task == task.number))


def test_work_goes_to_its_own_branch_as_it_would_land_and_nothing_of_the_users_moves(site, remote) -> None:
    task = site.task("echo four >> a.txt")
    before = site.state(), site.branches()
    shown = site.done(task, PREVIEW)
    assert (shown["remote"], shown["branch"], shown["base"]) == ("origin", task.branch, "main")
    assert shown["remotes"] == [{"name": "origin", "address": "https://github.com/owner/name.git"}]
    result = site.done(task, PUSH, head_oid=shown["head_oid"], target_oid=shown["target_oid"])
    assert site.sh(f"git -C {remote} show {task.branch}:a.txt") == "one\ntwo\nthree\nfour"
    assert site.sh(f"git -C {remote} rev-parse {task.branch}") == result["commit_oid"]
    assert (
        site.sh(f"git -C {remote} log -1 --format=%s%x20%P {task.branch}") == f"Fix it {shown['target_oid']}"
    )
    assert (site.state(), site.branches()) == before
    said = messages(task)
    assert shown["commands"][0].replace("COMMIT", result["commit_oid"]) in said
    assert "hunter2" not in said + json.dumps(shown) + json.dumps(result)
    entry = AuditEntry.select().where(AuditEntry.kind == "pushed").get()
    assert entry.detail["commit_oid"] == result["commit_oid"]


def test_more_work_replaces_what_the_task_pushed_and_never_what_somebody_else_did(site, remote) -> None:
    task = site.task("echo four >> a.txt")
    site.done(task, PUSH)
    task = site.again(task, "echo five >> a.txt")
    second = site.done(task, PUSH)["commit_oid"]
    assert site.sh(f"git -C {remote} rev-parse {task.branch}") == second
    site.sh(f"git -C {remote} branch -f {task.branch} main")
    task = site.again(task, "echo six >> a.txt")
    assert "has moved since this task pushed it" in site.refused(task, PUSH)["detail"]
    taken = site.refused(task, PUSH, branch="main")
    assert taken["detail"] == "The branch main of origin is there already: push to another branch."
    assert "stale info" in messages(task)


def test_what_landed_goes_to_its_branch_and_only_forward(site, remote) -> None:
    task = site.task("echo four >> a.txt")
    landed = site.done(task, CommandKind.MERGE)["commit_oid"]
    shown = site.done(task, PREVIEW)
    assert (shown["branch"], shown["commit_oid"], shown["pull_request"]) == ("main", landed, None)
    assert "--force" not in shown["commands"][0]
    site.done(task, PUSH)
    site.done(task, PUSH)  # the remote has it already
    assert site.sh(f"git -C {remote} rev-parse main") == landed
    site.sh(f"c=$(git commit-tree -m other 'main^{{tree}}'); git push -qf {remote} $c:refs/heads/main")
    assert "origin refused the push" in site.refused(task, PUSH)["detail"]


def test_what_refuses_a_landing_refuses_a_push_until_overridden_on_record(site, remote) -> None:
    task = site.task("echo four >> a.txt", policy={"allowed_file_globs": ["*.md"]})
    refused = site.refused(task, PUSH)
    assert [one["kind"] for one in refused["blocking"]] == ["file-globs"]
    assert refused["blocking"] == site.done(task, PREVIEW)["blocking"]
    assert site.sh(f"git -C {remote} branch --list 'openruntime/*'") == ""
    result = site.done(task, PUSH, override=["file-globs"])
    assert result["message"].endswith("; overridden: file-globs")


def test_a_landing_is_not_pushed_over_configuration_that_changed(site, remote) -> None:
    task = site.task("echo four >> a.txt")
    site.done(task, CommandKind.MERGE)
    site.sh("git config remote.origin.pushurl /somewhere/else")
    assert [one["kind"] for one in site.refused(task, PUSH)["blocking"]] == ["changed-configuration"]


def test_conflicts_and_work_that_was_not_shown_are_refused(site, remote) -> None:
    task = site.task("echo four > a.txt")
    shown = site.done(task, PREVIEW)
    site.sh("echo mine > a.txt; git commit -qam mine")
    assert "moved" in site.refused(task, PUSH, target_oid=shown["target_oid"])["detail"]
    assert site.refused(task, PUSH)["conflicts"][0]["path"] == "a.txt"
    assert "no changes" in site.refused(site.task("true"), PUSH)["detail"]


@pytest.mark.parametrize(
    ("config", "status"),
    [
        ("git remote rm origin", 412),
        ("git remote set-url origin 'ext::sh -c touch% {canary}'", 409),
        ("git remote set-url origin 'ssh://-oProxyCommand=touch {canary}/x'", 409),
        ("git config remote.origin.url --upload-pack=x", 412),
        ("git config remote.origin.receivepack 'touch {canary};'; git remote set-url origin /nowhere", 409),
        ("git init -q --bare {data}/worktrees/x; git remote set-url origin {data}/worktrees/x", 409),
    ],
)
def test_no_address_starts_anything(site, remote, tmp_path: Path, config: str, status: int) -> None:
    canary = tmp_path / "canary"
    task = site.task("echo four >> a.txt")
    site.sh(config.format(canary=canary, data=site.config.data))
    refused = site.refused(task, PUSH, override=["changed-configuration"])
    assert refused["status"] == status, refused
    assert not canary.exists()


@pytest.mark.parametrize(
    "body", [{"remote": "--all"}, {"remote": "other"}, {"branch": "--delete"}, {"branch": "a:b"}]
)
def test_names_that_could_be_options_are_refused(site, remote, body: dict) -> None:
    assert site.refused(site.task("echo four >> a.txt"), PUSH, **body)["status"] == 400


def test_hooks_of_the_repository_do_not_run(site, remote, tmp_path: Path) -> None:
    site.sh(f"printf '#!/bin/sh\\ntouch {tmp_path}/ran' > .git/hooks/pre-push; chmod +x .git/hooks/pre-push")
    site.done(site.task("echo four >> a.txt"), PUSH)
    assert not (tmp_path / "ran").exists()


def test_a_push_that_was_cut_off_pushes_the_same_commit(site, remote) -> None:
    task = site.task("echo four >> a.txt")
    with (
        mock.patch.object(push, "_opened", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        site.ask(task, PUSH)
    first = site.sh(f"git -C {remote} rev-parse {task.branch}")
    (left,) = commands.open_work(tasks.get(task.id))
    commands.keep_result(left.id, {"plan": left.result["plan"]})  # as if it had died before that was noted
    commands.release(WORKER)
    taken = commands.take(left.id, WORKER)
    assert taken is not None
    work.carry_out(taken, site.config)
    ended = Command.get_by_id(left.id)
    assert (ended.state, ended.result["commit_oid"]) == (State.APPLIED, first)


def test_a_pull_request_is_opened_as_it_was_edited(site, remote, stand_in, monkeypatch) -> None:
    told = stand_in("gh")
    monkeypatch.setenv("OPENRUNTIME_DATA", "/x")
    monkeypatch.setenv("GH_TOKEN", "from-the-account")
    task = site.task("echo four >> a.txt", title="--web $(id)", prompt="The goal")
    proposal = site.done(task, PREVIEW)["pull_request"]
    assert (proposal["program"], proposal["title"]) == ("gh", "--web $(id)")
    assert proposal["body"].startswith("The goal\n\nOpenRuntime-Task: ")
    wanted = {"title": "--web `id`", "body": "--body\n$(id)", "draft": True}
    result = site.done(task, PUSH, pull_request=wanted)
    assert result["pull_request_url"] == "https://github.com/owner/name/pull/7"
    said = told()
    named = ["--repo=github.com/owner/name", f"--head={task.branch}", "--base=main"]
    assert said["argv"] == ["pr", "create", *named, "--title=--web `id`", "--body-file=-", "--draft"]
    assert (said["stdin"], said["cwd"]) == ("--body\n$(id)", [])
    assert "GH_TOKEN" in said["env"]
    assert "OPENRUNTIME_DATA" not in said["env"]
    assert "Opened a pull request: https://github.com/owner/name/pull/7" in messages(task)
    kinds = {entry.kind: entry.detail for entry in AuditEntry.select()}
    assert "open-pull-request" in kinds
    assert kinds["push"]["pull_request"] is True


def test_on_gitlab_it_is_a_merge_request(site, remote, stand_in, tmp_path: Path) -> None:
    address = "git@gitlab.example.org:group/sub/name.git"
    told = stand_in("glab", "https://gitlab.example.org/group/sub/name/-/merge_requests/3")
    (tmp_path / "home/.gitconfig").write_text(f'[url "{remote}"]\n  insteadOf = {address}\n')
    site.sh(f"git remote set-url origin {address}")
    task = site.task("echo four >> a.txt")
    site.done(task, PUSH, pull_request={"title": "Title", "body": "-"})
    place = ["--repo=https://gitlab.example.org/group/sub/name", f"--source-branch={task.branch}"]
    rest = ["--target-branch=main", "--title=Title", "--description=Title", "--yes"]
    assert told()["argv"] == ["mr", "create", *place, *rest]


def test_the_push_stands_where_no_pull_request_can_be_opened(site, remote, stand_in, monkeypatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    task = site.task("echo four >> a.txt")
    result = site.done(task, PUSH, pull_request={})
    assert result["pull_request_refused"] == "No pull request was opened: gh is not installed."
    page = f"https://github.com/owner/name/compare/main...{task.branch}?expand=1"
    assert result["compare_url"] == page
    stand_in("gh", "a pull request for this branch already exists", 1)
    refused = site.done(task, PUSH, pull_request={})["pull_request_refused"]
    assert refused.endswith("gh said: a pull request for this branch already exists")
