"""Workspaces of every kind either run or say in one sentence why not; nothing is half-made."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.installation import Installation, git, installed, repository


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installed(tmp_path_factory.mktemp("odd-places")) as running:
        yield running


def without_a_commit(folder: Path) -> Path:
    folder.mkdir()
    git(folder, "init", "-q")
    return folder


def linked_worktree(folder: Path) -> Path:
    main = repository(folder.with_name("main"))
    git(main, "worktree", "add", "-q", "-b", "side", str(folder))
    return folder


def shallow(folder: Path) -> Path:
    main = repository(folder.with_name("deep"))
    git(main, "commit", "-q", "--allow-empty", "-m", "second")
    git(main, "clone", "-q", "--depth", "1", f"file://{main}", str(folder))
    return folder


def detached(folder: Path) -> Path:
    repository(folder)
    git(folder, "checkout", "-q", "--detach")
    return folder


def with_spaces_and_accents(folder: Path) -> Path:
    return repository(folder.with_name("a folder é 漢"))


def subfolder(folder: Path) -> Path:
    return repository(folder) / "sub"


def untracked_subfolder(folder: Path) -> Path:
    (repository(folder) / "new").mkdir()
    return folder / "new"


@pytest.mark.parametrize(
    "make",
    [
        repository,
        without_a_commit,
        linked_worktree,
        shallow,
        detached,
        with_spaces_and_accents,
        subfolder,
        untracked_subfolder,
    ],
)
def test_a_task_runs_isolated_in(
    make: Callable[[Path], Path], installation: Installation, tmp_path: Path
) -> None:
    workspace = make(tmp_path / "workspace")
    task_id = installation.run("echo made > made-here.txt; git status --short", workspace)
    task = installation.until(task_id)
    assert task["status"] == "ready-for-review", installation.events(task_id)
    assert Path(task["execution_workspace"]).is_relative_to(task["worktree_path"])
    assert not (workspace / "made-here.txt").exists()
    assert "made-here.txt" in task["diff_stat"]


def test_a_subfolder_stays_the_same_subfolder(installation: Installation, tmp_path: Path) -> None:
    task_id = installation.run("cat b.txt; pwd", subfolder(tmp_path / "workspace"))
    task = installation.until(task_id)
    assert task["execution_workspace"].endswith("/sub")
    assert installation.output(task_id) == ["b", task["execution_workspace"]]


def test_a_plain_folder_is_worked_on_in_a_copy_or_by_consent_in_place(
    installation: Installation, tmp_path: Path
) -> None:
    task_id = installation.run("echo hi > here.txt; git status --short", tmp_path)
    task = installation.until(task_id)
    assert (task["status"], task["place"]) == ("ready-for-review", "copy"), installation.events(task_id)
    assert installation.output(task_id) == ["?? here.txt"]
    assert not (tmp_path / "here.txt").exists()
    assert any("without worktree isolation" in event["message"] for event in installation.events(task_id))
    assert installation.post(f"/tasks/{task_id}/worktree/merge").status == 200
    assert (tmp_path / "here.txt").read_text() == "hi\n"
    in_place = installation.run("echo mine >> here.txt", tmp_path, place="in-place")
    task = installation.until(in_place)
    assert (task["status"], task["place"], task["worktree_path"]) == ("completed", "in-place", None)
    assert (tmp_path / "here.txt").read_text() == "hi\nmine\n"
    assert "+mine" in installation.get(f"/tasks/{in_place}/diff").body["patch"]
    assert "at once and before any review" in task["policy_report"]["workspace_access"][1]
    assert installation.post(f"/tasks/{in_place}/undo").status == 200
    assert (tmp_path / "here.txt").read_text() == "hi\n"


def _bare(folder: Path) -> Path:
    folder.mkdir()
    git(folder, "init", "-q", "--bare")
    return folder


def _broken(folder: Path) -> Path:
    repository(folder)
    shutil.rmtree(folder / ".git/objects")
    (folder / ".git/objects").mkdir()
    return folder


def _inside_git(folder: Path) -> Path:
    return repository(folder) / ".git"


@pytest.mark.parametrize("make", [_bare, _broken, _inside_git])
def test_what_cannot_run_says_why_and_leaves_nothing(
    make: Callable[[Path], Path], installation: Installation, tmp_path: Path
) -> None:
    workspace = make(tmp_path / "workspace")
    task_id = installation.run("echo hi", workspace)
    task = installation.until(task_id)
    assert task["status"] in ("failed", "completed", "ready-for-review")
    if task["status"] == "failed":
        attempt = task["current_attempt"]
        assert attempt["blocked_reason"]
        assert "Traceback" not in attempt["blocked_reason"]
        assert not os.path.exists(installation.data / "worktrees" / task_id)


def test_a_workspace_that_vanished_fails_the_attempt_and_a_retry_works(
    installation: Installation, tmp_path: Path
) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    task = installation.create("echo back", folder)
    folder.rmdir()
    installation.post(f"/tasks/{task['id']}/start")
    failed = installation.until(task["id"])
    assert failed["status"] == "failed"
    assert "does not exist" in failed["current_attempt"]["blocked_reason"]
    folder.mkdir()
    assert installation.post(f"/tasks/{task['id']}/start").status == 200
    assert installation.until(task["id"])["status"] == "completed"


def test_the_agent_sees_neither_our_data_nor_the_persons_keys_nor_their_checkout(
    installation: Installation, tmp_path: Path
) -> None:
    folder = repository(tmp_path / "repo")
    (folder / "uncommitted.txt").write_text("mine\n")
    keys = installation.home.parent / "keys"
    keys.mkdir(exist_ok=True)
    (keys / "id_ed25519").write_text("PRIVATE\n")
    probe = (
        f"cat {installation.data}/token {keys}/id_ed25519 {folder}/uncommitted.txt;"
        f" echo x > {folder}/a.txt; git update-ref refs/heads/main HEAD~0; echo done"
    )
    task_id = installation.run(probe, folder, policy={"allow_secrets": True, "blocked_commands": []})
    installation.until(task_id)
    said = "\n".join(event["message"] for event in installation.events(task_id) if event["kind"] == "stdout")
    assert installation.token not in said
    assert "PRIVATE" not in said
    assert "mine" not in said
    assert "done" in said
    assert (folder / "a.txt").read_text() == "one\ntwo\nthree\n"


def test_an_agent_that_deletes_its_own_worktree_loses_nothing_captured_before(
    installation: Installation, tmp_path: Path
) -> None:
    folder = repository(tmp_path / "repo")
    task_id = installation.run(
        "test -e kept.txt && rm -rf $PWD ../* || echo kept > kept.txt",
        folder,
        preset="full-access",
        policy=None,
    )
    assert installation.until(task_id)["status"] == "ready-for-review"
    installation.post(f"/tasks/{task_id}/start")
    installation.until(task_id)
    assert "kept.txt" in installation.get(f"/tasks/{task_id}/diff").body["patch"]
