"""Worktrees that a user or an agent moved, replaced, linked away or closed: nothing outside is read or changed, no work goes."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from shared.errors import NotReady
from tests.integration.repository.conftest import state
from workers.repository import capture, removal


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder of somebody's that is no business of a task's."""
    folder = tmp_path / "outside"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner").chmod(0o750)
    (folder / "key").write_text("theirs")
    return folder


def modes(folder: Path) -> list[int]:
    return [place.stat().st_mode for place in (folder, folder / "inner")]


def test_a_link_in_place_of_a_worktree_is_not_followed(desk, outside) -> None:
    made = desk.create()
    before, kept = state(outside), modes(outside)
    shutil.rmtree(made.path)
    made.path.symlink_to(outside)
    for refresh in (True, False):
        assert [flag.kind for flag in capture.take(made, refresh=refresh).flags] == ["worktree-missing"]
    removal.remove(made, keep=None)
    assert not os.path.lexists(made.path)
    assert not any(desk.worktrees.iterdir())
    again = desk.create()
    shutil.rmtree(again.path)
    again.path.symlink_to(outside)
    assert desk.create().path.is_dir()
    assert not again.path.is_symlink()
    assert (state(outside), modes(outside)) == (before, kept)
    assert desk.sh(f"cd {again.path}; git status --porcelain") == ""


def test_a_file_in_place_of_a_worktree_is_said_and_removed(desk) -> None:
    made = desk.create()
    shutil.rmtree(made.path)
    made.path.write_text("x")
    assert [flag.kind for flag in capture.take(made).flags] == ["worktree-missing"]
    with pytest.raises(NotReady, match="already exists"):
        desk.create()
    removal.remove(made, keep=None)
    assert not any(desk.worktrees.iterdir())


def test_a_worktree_that_the_user_moved_is_theirs_and_another_is_made(desk) -> None:
    made = desk.create()
    (made.path / "w").write_text("w")
    desk.sh(f"git worktree move {made.path} ../elsewhere")
    assert [flag.kind for flag in capture.take(made).flags] == ["worktree-missing"]
    again = desk.create()
    assert capture.take(again).files == ()
    removal.remove(again, keep=None)
    assert desk.sh("cd ../elsewhere; cat w; git status --porcelain") == "w?? w"
    assert made.branch in desk.sh("git branch --list 'openruntime/*'")


def test_a_repaired_and_a_pruned_repository_keep_the_work(desk) -> None:
    made = desk.create()
    (made.path / "w").write_text("w")
    aside = made.path.rename(made.path.with_name("away"))
    desk.sh("git worktree prune --expire=now")
    aside.rename(made.path)
    assert [file.path for file in capture.take(desk.create()).files] == ["w"]
    desk.sh("git worktree prune --expire=now; git worktree repair")
    assert desk.sh(f"cd {made.path}; git status --porcelain") == "?? w"


def test_a_gc_of_the_users_breaks_no_task_whose_base_is_on_no_branch_any_more(desk) -> None:
    for number in range(5):
        desk.create(f"task-{number}")
    desk.sh(
        "git checkout -q -b other; git commit -q --amend -m amended; git branch -D main -q;"
        " git reflog expire --expire=now --all; git gc -q --prune=now; git worktree prune --expire=now"
    )
    for number in range(5):
        taken = desk.change(f"echo {number} >> a.txt; rm d.txt", f"task-{number}")
        assert {file.path: file.status for file in taken.files} == {"a.txt": "modified", "d.txt": "deleted"}
        ref = removal.remove(desk.create(f"task-{number}"), keep=taken.head_oid)
        assert desk.sh(f"git show {ref}:a.txt | tail -1") == str(number)
    assert desk.sh("git for-each-ref refs/openruntime/base; git fsck 2>&1 | grep -v dangling || true") == ""
