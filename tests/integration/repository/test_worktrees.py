"""A task's worktree: where it is, what it leaves alone, and how it comes back."""

from __future__ import annotations

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared.errors import BadRequest, Conflict, GitFailed
from workers.repository import capture, discovery, fingerprint, registration, removal, worktrees
from workers.repository.inspect import branches, inspect
from workers.repository.worktree import load

TASK = "0123abcd-task"


def listing(folder: Path) -> set[str]:
    return {
        os.path.relpath(os.path.join(place, name), folder)
        for place, _, names in os.walk(folder)
        for name in names
    }


def test_a_worktree_is_a_linked_one_on_its_own_branch_and_the_checkout_stays_as_it_was(desk) -> None:
    desk.sh("echo dirty >> a.txt; echo new > untracked; echo secret > .env")
    before, marks = desk.state(), fingerprint.fingerprint(desk.repository())
    made = desk.create(title="Fix the Bug: é!")
    assert made.branch == "openruntime/0123abcd-fix-the-bug"
    assert f"worktree {made.path}" in desk.sh("git worktree list --porcelain")
    assert (made.path / "a.txt").read_text() == "one\ntwo\nthree\n"
    assert made.base_commit == desk.sh("git rev-parse HEAD refs/openruntime/base/" + TASK).split()[1]
    assert desk.state() == before
    assert fingerprint.fingerprint(desk.repository()) == marks
    assert (
        subprocess.run(
            ["git", "-C", made.path, "status", "--porcelain"],
            capture_output=True,
            env={"PATH": os.environ["PATH"]},
        ).stdout
        == b""
    )


def test_creating_again_returns_the_same_worktree_with_the_work_in_it(desk) -> None:
    made = desk.create()
    (made.path / "work").write_text("mine")
    assert desk.create() == made
    assert (made.path / "work").read_text() == "mine"


def test_a_nested_workspace_runs_in_the_same_subfolder_even_when_git_does_not_know_it(desk) -> None:
    assert desk.create(inside="sub/deep").execution_path == desk.worktrees / TASK / "sub/deep"
    (desk.folder / "fresh").mkdir()
    assert desk.create("task-two", inside="fresh").execution_path.is_dir()


@pytest.mark.parametrize(
    "step", ["create", "register", "_check_out", "_write_capture_directory", "build", "save-ready"]
)
def test_a_crash_at_any_step_of_creation_converges_on_the_next_call(desk, monkeypatch, step) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        if step == "register":
            original = registration.register
            patched.setattr(
                registration, "register", lambda *words, **more: (original(*words, **more), die())
            )
        elif step == "create":
            patched.setattr(worktrees.references, "create", die)
        elif step == "build":
            patched.setattr(worktrees.agent_directory, "build", die)
        elif step == "save-ready":
            real = worktrees.save
            patched.setattr(
                worktrees, "save", lambda worktree, ready: die() if ready else real(worktree, ready=ready)
            )
        else:
            patched.setattr(worktrees, step, die)
        with pytest.raises(Killed):
            desk.create()
    made = desk.create()
    assert capture.take(made).files == ()
    assert desk.sh("git branch --list 'openruntime/*' | wc -l") == "1"
    assert desk.sh("git worktree list | wc -l") == "2"


def test_a_worktree_costs_few_git_processes(desk, monkeypatch, tmp_path) -> None:
    """Half of a task's start used to be git commands, each only to ask one thing."""
    git, asked = shutil.which("git"), tmp_path / "asked"
    counting = tmp_path / "programs/git"
    counting.parent.mkdir()
    counting.write_text(f'#!/bin/sh\necho "$1" >> {asked}\nexec {git} "$@"\n')
    counting.chmod(0o755)
    desk.repository()  # git's version is asked once for all
    monkeypatch.setenv("PATH", f"{counting.parent}:{os.environ['PATH']}")
    repository = discovery.locate(desk.folder)
    assert repository is not None
    places = {"worktrees": desk.worktrees, "repositories": desk.repositories}
    worktrees.create(repository, task_id=TASK, title="a task", base_ref=None, **places)
    fingerprint.fingerprint(repository)
    assert len(asked.read_text().splitlines()) <= 7


def test_what_one_question_cannot_answer_is_asked_step_by_step(desk) -> None:
    assert desk.repository().branch == "main"
    desk.sh("git checkout -q --detach")
    detached = discovery.locate(desk.folder)
    assert detached is not None
    assert (detached.branch, detached.head_oid) == (None, desk.sh("git rev-parse HEAD"))
    odd = desk.folder / "a\nb"
    odd.mkdir()
    found = discovery.locate(odd)
    assert found is not None
    assert found.prefix == "a\nb"
    desk.sh("git checkout -q --orphan unborn")
    unborn = discovery.locate(desk.folder)
    assert unborn is not None
    assert (unborn.branch, unborn.head_oid) == ("unborn", None)


def test_a_broken_personal_configuration_leaves_the_repositorys_own_readable(
    desk, monkeypatch, tmp_path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    desk.sh("git config openruntime.mark here")
    (tmp_path / ".gitconfig").write_text("[user]\n\tname = Person\n")
    assert desk.repository().personal == {"user.name": "Person"}
    (tmp_path / ".gitconfig").write_text("[user\n")
    found = desk.repository()
    assert (found.settings["openruntime.mark"], found.personal) == ("here", {})


def test_twenty_creations_at_once_all_succeed(desk) -> None:
    desk.sh("git clone -q --bare . ../origin.git; git remote add origin ../origin.git; git fetch -q origin")
    config = (desk.folder / ".git/config").read_bytes()
    with ThreadPoolExecutor(20) as pool:
        made = list(pool.map(lambda n: desk.create(f"task-{n:04}", base_ref="origin/main"), range(20)))
    assert len({one.path for one in made}) == 20
    assert all((one.path / "a.txt").is_file() and capture.take(one).files == () for one in made)
    assert (desk.folder / ".git/config").read_bytes() == config


def test_a_worktree_removed_by_hand_is_made_again(desk) -> None:
    made = desk.create()
    shutil.rmtree(made.path)
    assert capture.take(desk.create()).files == ()
    work = desk.change("echo work > w.txt; echo more >> a.txt")
    shutil.rmtree(made.path)
    desk.sh("git worktree prune")
    again = desk.create(content=None)
    assert not (again.path / "w.txt").exists()
    shutil.rmtree(made.path)
    removal.preserve(desk.repository(), made, work.head_oid)
    assert capture.take(desk.create()).head_oid == work.head_oid


def test_a_lost_git_file_or_entry_is_put_back_and_the_work_stays(desk) -> None:
    made = desk.create()
    (made.path / "w").write_text("w")
    (made.path / ".git").unlink()
    desk.create()
    assert (made.path / ".git").is_file()
    desk.sh(f"rm -r .git/worktrees/{TASK}")
    desk.create()
    assert (made.path / "w").read_text() == "w"
    assert f"worktree {made.path}" in desk.sh("git worktree list --porcelain")


def test_a_moved_repository_is_followed(desk) -> None:
    made = desk.create()
    (made.path / "w").write_text("w")
    os.rename(desk.folder, desk.root / "moved")
    desk.folder = desk.root / "moved"
    followed = desk.create()
    assert followed.repository_directory == desk.folder / ".git"
    assert [file.path for file in capture.take(followed).files] == ["w"]
    assert desk.sh(f"cd {made.path}; git status --porcelain") == "?? w"


def test_a_removal_leaves_only_the_recovery_ref(desk) -> None:
    before = desk.state(), {name for name in listing(desk.folder / ".git") if not name.startswith("objects")}
    work = desk.change("echo work > w.txt")
    made = desk.create()
    ref = removal.remove(made, keep=work.head_oid)
    assert ref == f"refs/openruntime/recovery/{TASK}"
    assert desk.sh(f"git show {ref}:w.txt") == "work"
    after = {name for name in listing(desk.folder / ".git") if not name.startswith("objects")}
    assert (desk.state(), after) == (before[0], before[1] | {ref, f"logs/{ref}"})
    assert not made.path.exists()
    assert not made.home.exists()
    assert os.listdir(desk.worktrees) == []
    removal.remove(made, keep=None)
    assert desk.sh(f"git show {ref}:w.txt") == "work"
    assert desk.sh("git fsck --strict 2>&1") == ""


def test_nothing_is_removed_when_the_work_cannot_be_kept(desk) -> None:
    made = desk.create()
    (made.path / "w").write_text("w")
    with pytest.raises(GitFailed):
        removal.remove(made, keep="f" * 40)
    assert (made.path / "w").read_text() == "w"
    assert made.capture_git_directory.is_dir()


def test_a_locked_worktree_and_a_branch_the_user_took_over_stay(desk) -> None:
    made = desk.create()
    desk.sh(f"git worktree lock {made.path}")
    with pytest.raises(Conflict, match="locked"):
        removal.remove(made, keep=None)
    desk.sh(f"git worktree unlock {made.path}; git config branch.{made.branch}.remote origin")
    removal.remove(made, keep=None)
    assert made.branch in desk.sh("git branch --list 'openruntime/*'")


def test_commits_only_the_task_branch_had_are_kept(desk) -> None:
    made = desk.create()
    desk.sh(f"cd {made.path}; echo x > x; git add x; git commit -qm agent")
    tip = desk.sh(f"git rev-parse {made.branch}")
    removal.remove(made, keep=None)
    assert desk.sh(f"git rev-parse refs/openruntime/recovery/{TASK}-branch") == tip
    assert desk.sh("git branch --list 'openruntime/*'") == ""


def test_removal_follows_no_link_and_enters_locked_folders(desk, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("theirs")
    made = desk.create()
    os.symlink(outside, made.path / "link")
    (made.path / "closed/in").mkdir(parents=True)
    (made.path / "closed").chmod(0)
    removal.remove(made, keep=None)
    assert (outside / "file").read_text() == "theirs"
    assert not made.path.exists()


def test_a_removed_worktree_is_restored_with_its_base(desk) -> None:
    work = desk.change("echo work > w.txt")
    removal.remove(desk.create(), keep=work.head_oid)
    again = worktrees.restore(
        desk.repository(), task_id=TASK, title="x", worktrees=desk.worktrees, repositories=desk.repositories
    )
    assert again.base_commit == work.base_oid
    assert capture.take(again).head_oid == work.head_oid


@pytest.mark.parametrize(
    "name",
    [
        "-x",
        "--upload-pack=x",
        "@{-1}",
        ":/first",
        "main~1",
        "HEAD^",
        "main..x",
        "a b",
        "",
        "nope",
        "*",
        "FETCH_HEAD",
        "a\nb",
        "x" * 300,
    ],
)
def test_only_real_names_are_a_base(desk, name) -> None:
    with pytest.raises(BadRequest):
        desk.create(base_ref=name or "''")
    assert load(desk.repositories, TASK) is None


def test_branches_tags_and_ids_are_a_base(desk) -> None:
    first = desk.sh("git tag v1 HEAD~1; git branch side v1; git rev-parse v1")
    for number, name in enumerate(("v1", "side", first, first[:10], "refs/tags/v1")):
        assert desk.create(f"task-{number}", base_ref=name).base_commit == first


def test_the_agents_directory_is_self_contained(desk) -> None:
    """What a sandbox mounts over the entry works as a repository without the user's."""
    desk.sh("git tag v1; git branch side")
    made = desk.create()
    env = {
        "PATH": os.environ["PATH"],
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_DIR": str(made.agent_git_directory),
        "GIT_WORK_TREE": str(made.path),
    }

    def run(*words: str) -> str:
        return subprocess.run(
            ["git", *words], cwd=made.path, env=env, capture_output=True, check=True, text=True
        ).stdout.strip()

    assert run("status", "--porcelain") == ""
    assert run("rev-parse", "--git-common-dir") == str(made.agent_git_directory)
    assert run("branch", "--show-current") == made.branch
    assert "local/side" in run("branch", "-r")
    assert run("tag") == "v1"
    (made.path / "x").write_text("x")
    run("add", "x")
    run("commit", "-qm", "by the agent")
    assert desk.sh(f"git rev-parse {made.branch}") == made.base_commit
    assert run("log", "-1", "--format=%an") == "Person"


def test_inspection_says_what_a_folder_is(desk, tmp_path: Path) -> None:
    found = inspect(desk.folder / "sub")
    assert found is not None
    assert (found.toplevel, found.prefix, found.branch, found.bare, found.dirty) == (
        desk.folder,
        "sub",
        "main",
        False,
        False,
    )
    assert [branch.name for branch in branches(desk.folder)] == ["main"]
    desk.sh("touch a.txt")
    assert not inspect(desk.folder).dirty
    desk.sh("echo x > u")
    assert inspect(desk.folder).dirty
    assert inspect(tmp_path) is None
    with pytest.raises(BadRequest):
        inspect(desk.folder / ".git")
    with pytest.raises(BadRequest):
        inspect(tmp_path / "missing")
