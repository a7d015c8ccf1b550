"""A process ends with the one that started it (openruntime/cli/leash.py)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from openruntime.cli import leash
from tests import processes
from tests.waiting import wait_until

LEASH = str(Path(leash.__file__))


def test_a_parent_that_is_already_gone_means_no_start(tmp_path: Path) -> None:
    made = tmp_path / "made"
    done = subprocess.run([sys.executable, "-I", "-S", LEASH, "1", "touch", str(made)], timeout=20)
    assert done.returncode == 1
    assert not made.exists()


def test_a_program_that_does_not_exist_is_one_sentence() -> None:
    start = (
        "import os, subprocess, sys;"
        "sys.exit(subprocess.run([sys.executable, '-I', '-S', sys.argv[1], str(os.getpid()), 'no-such-program']).returncode)"
    )
    done = subprocess.run([sys.executable, "-c", start, LEASH], capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
    assert done.stderr == "Cannot start no-such-program: No such file or directory.\n"


def test_where_the_kernel_cannot_tell_the_parent_is_watched() -> None:
    watcher = (
        "import sys; sys.path.insert(0, sys.argv[1]); from openruntime.cli import leash;"
        "leash.LOOK_SECONDS = 0.02; print('watching', flush=True); leash.end_with(int(sys.argv[2]))"
    )
    parent = (
        "import os, subprocess, sys;"
        "child = subprocess.Popen([sys.executable, '-c', sys.argv[1], sys.argv[2], str(os.getpid())]);"
        "print(child.pid, flush=True); child.wait()"
    )
    root = str(Path(leash.__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, "-c", parent, watcher, root], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    lines = [process.stdout.readline(), process.stdout.readline()]
    pid = next(int(line) for line in lines if line.strip().isdigit())
    process.kill()
    process.wait(10)
    process.stdout.close()
    wait_until(lambda: not processes.alive({pid}), what="the child to end")
