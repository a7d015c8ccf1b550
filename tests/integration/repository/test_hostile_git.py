"""Whatever an agent or a repository configures, our operations start none of it."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.integration.repository.desk_landing import land, look
from workers.repository import capture, fingerprint, removal, worktrees
from workers.repository.inspect import branches, inspect

TASK = "0123abcd-task"
CANARY = "touch $CANARY"

# Each runs with $CANARY naming a file, $RUN a script that makes it, and GD the git directory under attack.
VECTORS = {
    "hooks": 'for h in pre-commit post-checkout post-merge post-commit post-index-change reference-transaction pre-merge-commit prepare-commit-msg commit-msg post-rewrite pre-auto-gc post-applypatch applypatch-msg pre-push update push-to-checkout fsmonitor-watchman; do cp $RUN $GD/hooks/$h; done',
    "core.hooksPath": "mkdir -p $GD/evil; for h in post-checkout post-merge reference-transaction post-index-change; do cp $RUN $GD/evil/$h; done; git config --file $GD/config core.hooksPath $GD/evil",
    "core.fsmonitor": "git config --file $GD/config core.fsmonitor $RUN",
    "diff.external": "git config --file $GD/config diff.external $RUN",
    "core.pager": "git config --file $GD/config core.pager $RUN; git config --file $GD/config pager.diff $RUN",
    "core.editor": "git config --file $GD/config core.editor $RUN; git config --file $GD/config sequence.editor $RUN",
    "core.sshCommand": "git config --file $GD/config core.sshCommand $RUN; git config --file $GD/config remote.origin.url ssh://x/y",
    "core.askPass": "git config --file $GD/config core.askPass $RUN; git config --file $GD/config credential.helper \"!$RUN\"",
    "core.gitProxy": "git config --file $GD/config core.gitProxy $RUN; git config --file $GD/config remote.origin.vcs $RUN",
    "gpg.program": "git config --file $GD/config gpg.program $RUN; git config --file $GD/config commit.gpgSign true; git config --file $GD/config merge.verifySignatures true; git config --file $GD/config log.showSignature true",
    "alias": "for a in diff add merge worktree status; do git config --file $GD/config alias.$a \"!$RUN\"; done",
    "textconv": "git config --file $GD/config diff.x.textconv $RUN; git config --file $GD/config diff.x.command $RUN; echo '* diff=x' > $TREE/.gitattributes; echo '* diff=x' > $GD/info/attributes",
    "merge driver": "git config --file $GD/config merge.x.driver \"$RUN %A\"; git config --file $GD/config merge.default x; echo '* merge=x' > $TREE/.gitattributes; echo '* merge=x' > $GD/info/attributes",
    "include": "printf '[core]\\n fsmonitor = %s\\n hooksPath = %s\\n' $RUN $GD/evil > $GD/inc; mkdir -p $GD/evil; cp $RUN $GD/evil/post-checkout; git config --file $GD/config include.path $GD/inc",
    "config.worktree": "git config --file $GD/config extensions.worktreeConfig true; git config --file $GD/config.worktree core.fsmonitor $RUN; git config --file $GD/config.worktree diff.external $RUN",
    "uploadpack hook": "git config --file $GD/config uploadpack.packObjectsHook $RUN; git config --file $GD/config receive.procReceiveRefs refs",
    "branch options": "git config --file $GD/config branch.main.mergeOptions '--verify-signatures -s evil'; git config --file $GD/config pull.twohead evil; git config --file $GD/config gc.auto 1; git config --file $GD/config trace2.eventTarget $CANARY",
    "rebase and interactive": "git config --file $GD/config interactive.diffFilter $RUN; git config --file $GD/config rebase.instructionFormat x; git config --file $GD/config maintenance.auto true; git config --file $GD/config gc.recentObjectsHook $RUN",
}  # fmt: skip
FILTERS = "git config --file $GD/config filter.x.clean $RUN; git config --file $GD/config filter.x.smudge $RUN; git config --file $GD/config filter.x.process $RUN; echo '* filter=x' > $TREE/.gitattributes; echo '* filter=x' > $GD/info/attributes"


def grouped() -> dict[str, str]:
    """The vectors in a few sets that do not overwrite one another's settings."""
    apart = ("core.hooksPath", "include", "config.worktree", "diff.external")
    together = [vector for name, vector in VECTORS.items() if name not in apart]
    return {
        "most": "; ".join(together),
        "hooks and filters": VECTORS["core.hooksPath"] + "; " + FILTERS,
        "include and diff": VECTORS["include"] + "; " + VECTORS["diff.external"],
        "worktree config": VECTORS["config.worktree"],
    }


GROUPS = grouped()
EACH = [
    pytest.param(vector, id=name, marks=pytest.mark.slow)
    for name, vector in [*VECTORS.items(), ("filters", FILTERS)]
]
CASES = [*(pytest.param(vector, id=name) for name, vector in GROUPS.items()), *EACH]


@pytest.fixture
def trap(tmp_path):
    """A script that leaves a canary, and the canary's path."""
    canary = tmp_path / "canary"
    script = tmp_path / "evil.sh"
    script.write_text(f"#!/bin/sh\ntouch {canary}\ncat\n")
    script.chmod(0o755)
    return script, canary


def spring(vector: str, trap, git_dir, tree) -> None:
    script, canary = trap
    env = {
        "PATH": os.environ["PATH"],
        "RUN": str(script),
        "CANARY": str(canary),
        "GD": str(git_dir),
        "TREE": str(tree),
    }
    os.makedirs(git_dir / "hooks", exist_ok=True)
    os.makedirs(git_dir / "info", exist_ok=True)
    subprocess.run(["bash", "-euc", vector], env=env, cwd=tree, check=True)
    assert not canary.exists()


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
    spring(vector, trap, desk.folder / ".git", desk.folder)
    made = desk.create()
    everything(desk, made)
    assert not trap[1].exists()
    assert (desk.folder / "new.txt").read_text() == "new\n"
    assert (desk.folder / "sub/b.txt").read_text() == "b\nmine\n"


@pytest.mark.parametrize("vector", CASES)
def test_nothing_an_agent_leaves_in_its_tree_runs(desk, trap, vector) -> None:
    """As a sandboxed agent: the vector sits in its own git directory, in a nested repository, and in `.git` itself."""
    desk.sh("git branch side HEAD~1; echo mine >> sub/b.txt")
    made = desk.create()
    spring(vector, trap, made.agent_git_directory, made.path)
    spring(vector, trap, made.admin_directory, made.path)
    env = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null"}
    subprocess.run(["git", "init", "-q", str(made.path / "sub/nested")], env=env, check=True)
    spring(vector, trap, made.path / "sub/nested/.git", made.path / "sub/nested")
    (made.path / ".git").unlink()
    subprocess.run(["git", "init", "-q", str(made.path)], env=env, check=True)
    spring(vector, trap, made.path / ".git", made.path)
    everything(desk, made)
    assert not trap[1].exists()


def test_a_git_file_that_points_elsewhere_is_not_followed(desk, trap, tmp_path) -> None:
    desk.sh("git branch side HEAD~1")
    made = desk.create()
    env = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null"}
    subprocess.run(["git", "init", "-q", str(tmp_path / "evil")], env=env, check=True)
    spring(VECTORS["core.fsmonitor"], trap, tmp_path / "evil/.git", tmp_path / "evil")
    (made.path / ".git").write_text(f"gitdir: {tmp_path / 'evil/.git'}\n")
    everything(desk, made)
    assert not trap[1].exists()


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
