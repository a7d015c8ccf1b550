"""A creation that is killed with its git, at moments nobody chose, is finished by the next call and leaves nothing twice."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.integration.repository.conftest import shell
from tests.integration.repository.desk_landing import land
from workers.repository import capture

ROOT = Path(__file__).parents[3]
VICTIM = """
import sys
from pathlib import Path
from workers.repository import worktrees
from workers.repository.inspect import inspect
folder, root, task = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
found = inspect(folder, dirty=False)
print("begin", flush=True)
worktrees.create(found, task_id=task, title="t", base_ref=None, worktrees=root / "worktrees", repositories=root / "repositories")
print("done", flush=True)
"""


def started(desk, task: str) -> subprocess.Popen[str]:
    """A creation in a process of its own that is about to touch the repository."""
    argv = [sys.executable, "-P", "-c", VICTIM, str(desk.folder), str(desk.worktrees.parent), task]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    victim = subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, text=True)
    assert victim.stdout is not None
    assert victim.stdout.readline() == "begin\n"
    return victim


def kill_within(desk, task: str, seconds: float) -> bool:
    """Kill a creation with its git so long after its beginning; True when it was cut off."""
    with started(desk, task) as victim:
        time.sleep(seconds)
        family = psutil.Process(victim.pid)
        for process in [family, *family.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        return "done" not in str(victim.stdout and victim.stdout.read())


@pytest.mark.parametrize("kills", [6, pytest.param(100, marks=pytest.mark.slow)])
def test_a_creation_killed_with_its_git_converges(desk, kills) -> None:
    desk.sh("mkdir many; for n in $(seq 300); do echo $n > many/$n; done; git add -A; git commit -qm many")
    before = desk.state()
    with started(desk, "task-whole") as whole:
        began = time.monotonic()
        assert whole.wait(60) == 0
    took = time.monotonic() - began
    chosen = random.Random(5)
    cut_off = 0
    for number in range(kills):
        task = f"task-{number:04}"
        cut_off += kill_within(desk, task, chosen.uniform(0, took / 2))
        made = desk.create(task)
        assert capture.take(made).files == (), task
        assert desk.sh(f"cd {made.path}; git status --porcelain") == "", task
        assert desk.sh("git branch --list 'openruntime/*' | wc -l") == str(number + 2), task
    assert cut_off
    assert desk.sh("git worktree list | wc -l") == str(kills + 2)
    assert desk.state() == before
    assert not list(desk.folder.glob(".git/**/*.lock"))
    assert desk.sh("git fsck 2>&1 | grep -v dangling || true") == ""
    print(f"{cut_off} of {kills} creations cut off")


def test_what_a_killed_git_left_locked_on_refs_of_ours_is_released(desk) -> None:
    """As it was found: on the base's pin at the next creation, on the backup at the next landing."""
    made = desk.create()
    (made.home / "worktree.json").write_text(
        (made.home / "worktree.json").read_text().replace("true", "false", 1)
    )
    for name in ("base", "landing", "backup"):
        lock = desk.folder / f".git/refs/openruntime/{name}/{made.task_id}.lock"
        lock.parent.mkdir(parents=True, exist_ok=True)
        lock.touch()
    made = desk.create()
    shell(made.path, "echo x > x")
    desk.sh("echo mine > mine")
    land(desk, capture.take(made))
    assert desk.sh(f"cat x; git show refs/openruntime/backup/{made.task_id}:mine") == "x\nmine"
    assert not list(desk.folder.glob(".git/**/*.lock"))
