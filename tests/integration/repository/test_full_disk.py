"""A disk that fills up at any moment of a creation, a capture or a landing: nothing of the user's changes, and it goes on once there is room."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared.errors import GitFailed, OpenRuntimeError
from tests.integration.repository.conftest import Desk
from tests.integration.repository.desk_landing import land
from workers.repository import capture, checkout

WORK = (
    "head -c 600000 /dev/urandom > zbig; echo more >> a.txt; rm -r gone; mkdir n;"
    " head -c 300000 /dev/urandom > n/x; mv d.txt e.txt"
)
USER = "echo staged > s; git add s; echo mine >> sub/b.txt; echo loose > loose"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of six megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(words, capture_output=True).returncode:
        pytest.skip("needs leave to mount a small file system")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def fill(disk: Path, *, leaving: int = 0) -> Path:
    """A file that leaves so many bytes free."""
    found = os.statvfs(disk)
    filler = disk / "filler"
    with filler.open("wb") as opened:
        os.posix_fallocate(opened.fileno(), 0, found.f_bavail * found.f_frsize - leaving)
    return filler


@pytest.fixture
def full_desk(template: Path, disk: Path, tmp_path: Path) -> Desk:
    """A user's repository on the small disk, with work in it; ours are on another."""
    folder = disk / "repo"
    shutil.copytree(template, folder, symlinks=True)
    desk = Desk(tmp_path, folder, tmp_path / "data/worktrees", tmp_path / "data/repositories")
    desk.sh(f"head -c 200000 /dev/urandom > gone/big; git add -A; git commit -qm big; {USER}; git status")
    return desk


def assert_lands(desk: Desk, taken, strategy: str) -> None:
    land(desk, taken, strategy=strategy)
    assert desk.sh("cat s sub/b.txt loose; tail -1 a.txt") == "staged\nb\nmine\nloose\nmore"
    assert desk.sh("git diff --stat HEAD -- zbig n a.txt gone d.txt e.txt") == "" or strategy == "apply"
    assert desk.sh("git fsck 2>&1 | grep -v dangling || true") == ""


@pytest.mark.parametrize("strategy", ["squash", "apply"])
def test_a_landing_that_finds_too_little_room_leaves_the_checkout_as_it_was(
    full_desk, disk, strategy
) -> None:
    """Room for nothing; for a part of the objects; for these and no file; the objects are there by then, so for a part of the files."""
    taken = full_desk.change(WORK)
    before = full_desk.state()
    for leaving in (0, 500_000, 1_050_000, 300_000):
        filler = fill(disk, leaving=leaving)
        with pytest.raises(OpenRuntimeError) as refused:
            land(full_desk, taken, strategy=strategy)
        assert full_desk.state() == before, leaving
        said = f"{refused.value} {getattr(refused.value, 'extra', '')}"
        assert re.search("No space left|unable to write file", said), leaving
        filler.unlink()
    assert_lands(full_desk, taken, strategy)


@pytest.mark.parametrize("before_step", ["_back_up", "_write_files", "_move_branch", "_install"])
def test_a_disk_that_fills_up_between_two_steps_leaves_all_of_a_landing_or_nothing(
    full_desk, disk, monkeypatch, before_step
) -> None:
    taken = full_desk.change(WORK)
    before = full_desk.state()
    real: Callable[..., object] = getattr(checkout, before_step)
    with monkeypatch.context() as patched:
        patched.setattr(checkout, before_step, lambda *words: (fill(disk), real(*words))[1])
        try:
            land(full_desk, taken)
            assert before_step == "_install", "once the branch has moved, no room is needed"
        except OpenRuntimeError:
            assert full_desk.state() == before
    (disk / "filler").unlink()
    assert not list((full_desk.folder / ".git").glob("*.lock"))
    if before_step == "_install":
        assert full_desk.sh("git status --porcelain") == "A  s\n M sub/b.txt\n?? loose"
    else:
        assert_lands(full_desk, taken, "squash")


def test_captures_and_creations_on_a_full_disk_fail_in_words_and_work_once_there_is_room(desk, disk) -> None:
    desk.sh("head -c 1500000 /dev/urandom > huge; git add -A; git commit -qm huge")
    own = Desk(desk.root, desk.folder, disk / "worktrees", disk / "repositories")
    made = own.create()
    (made.path / "big").write_bytes(os.urandom(600_000))
    (made.path / "a.txt").write_text("changed\n")
    for leaving in (0, 200_000):
        filler = fill(disk, leaving=leaving)
        with pytest.raises(GitFailed, match="No space left"):
            capture.take(made)
        with pytest.raises((GitFailed, OSError)):
            own.create("task-two")
        filler.unlink()
    assert {file.path for file in capture.take(made).files} == {"a.txt", "big"}
    assert capture.take(own.create("task-two")).files == ()
    assert desk.sh("git branch --list 'openruntime/*' | wc -l; git worktree list | wc -l") == "2\n3"
