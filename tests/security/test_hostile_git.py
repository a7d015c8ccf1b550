"""Whatever an agent or a repository configures, the engine's operations start none of it, and it changes nothing."""

from __future__ import annotations

import subprocess

import pytest

from tests.integration.repository.conftest import desk, personal_config, template
from tests.integration.repository.desk_landing import land, look
from tests.security.vectors import EVERYTHING, PLAIN, VECTORS, Trap
from workers.repository import capture, fingerprint, removal, worktrees
from workers.repository.inspect import branches, inspect

__all__ = ["desk", "personal_config", "template"]
TASK = "0123abcd-task"
CASES = [
    pytest.param(vector, id=name, marks=pytest.mark.slow)
    for name, vector in {"everything": EVERYTHING, **VECTORS}.items()
]


@pytest.fixture
def trap(tmp_path) -> Trap:
    return Trap.at(tmp_path)


def everything(desk, made) -> None:
    """Every operation of ours that starts git, on a checkout with work of the user's in it."""
    inspect(desk.folder)
    branches(desk.folder)
    fingerprint.fingerprint(desk.repository())
    (made.path / "a.txt").write_text("one\ntwo\nthree\nfour\n")
    (made.path / "new.txt").write_text("new\n")
    live = capture.take(made, refresh=True)
    capture.patch_of(live, "a.txt")
    desk.create()
    taken = capture.take(made)
    look(desk, taken)
    look(desk, taken, target_branch="side", strategy="merge")
    land(desk, taken, target_branch="side", strategy="merge")
    land(desk, taken)
    (made.path / "more.txt").write_text("more\n")
    again = capture.take(made)
    land(desk, again, target_branch=None, strategy="apply")
    removal.remove(made, keep=again.head_oid)
    worktrees.restore(
        desk.repository(), task_id=TASK, title="x", worktrees=desk.worktrees, repositories=desk.repositories
    )


@pytest.mark.parametrize("vector", CASES)
def test_nothing_in_a_users_repository_runs(desk, trap, vector) -> None:
    desk.sh("git branch side HEAD~1; echo mine >> sub/b.txt; echo loose > loose")
    trap.spring(vector, desk.folder / ".git", desk.folder)
    made = desk.create()
    everything(desk, made)
    assert not trap.canary.exists()
    assert (desk.folder / "new.txt").read_text() == "new\n"
    assert (desk.folder / "sub/b.txt").read_text() == "b\nmine\n"


@pytest.mark.parametrize("vector", CASES)
def test_nothing_an_agent_leaves_in_its_tree_runs(desk, trap, vector) -> None:
    desk.sh("git branch side HEAD~1; echo mine >> sub/b.txt")
    made = desk.create()
    trap.spring_as_agent(vector, made)
    everything(desk, made)
    assert not trap.canary.exists()


def test_a_git_file_that_points_elsewhere_is_not_followed(desk, trap, tmp_path) -> None:
    desk.sh("git branch side HEAD~1")
    made = desk.create()
    subprocess.run(["git", "init", "-q", str(tmp_path / "evil")], env=PLAIN, check=True)
    trap.spring(VECTORS["core.fsmonitor"], tmp_path / "evil/.git", tmp_path / "evil")
    (made.path / ".git").write_text(f"gitdir: {tmp_path / 'evil/.git'}\n")
    everything(desk, made)
    assert not trap.canary.exists()


def test_a_forged_object_in_the_agents_directory_never_reaches_the_user(desk) -> None:
    """The agent's own objects are not read: a capture hashes the files themselves."""
    made = desk.create()
    blob = desk.sh("git rev-parse HEAD:a.txt")
    place = made.agent_git_directory / "objects" / blob[:2] / blob[2:]
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(b"not an object")
    (made.path / "new.txt").write_text("new\n")
    taken = capture.take(made)
    land(desk, taken)
    assert desk.sh("git fsck --full --strict 2>&1 | grep -v dangling || true") == ""


def test_a_harmful_submodule_file_is_refused_on_arrival(desk) -> None:
    taken = desk.change("printf '[submodule \"x\"]\\n\\tpath = x\\n\\turl = -uevil\\n' > .gitmodules")
    before = desk.state()
    with pytest.raises(Exception, match=r"gitmodules|strict|fsck|disallowed"):
        land(desk, taken)
    assert desk.state() == before


def test_replace_refs_and_grafts_do_not_change_what_lands(desk) -> None:
    evil = desk.sh("echo evil | git hash-object -w --stdin")
    desk.sh(
        f"git replace -f $(git rev-parse HEAD:a.txt) {evil}; echo $(git rev-parse HEAD) > .git/info/grafts"
    )
    made = desk.create()
    assert (made.path / "a.txt").read_text() == "one\ntwo\nthree\n"
    assert capture.take(made).files == ()
