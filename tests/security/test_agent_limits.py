"""What an agent may take of its host, in each tier: refused by the kernel or noticed by the shim, and said.

As an ordinary user, since the kernel's limits of processes do not bind root.
"""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from tests.integration.attempts.driver import Run
from workers.attempts.sandbox import Limits
from workers.disk import used_mib

BOMB = "f() { f | f & }; f; sleep 60"
HOG = "import time; held = [b'x' * (8 << 20) for _ in range(40)]; print('held', flush=True); time.sleep(60)"


@pytest.fixture
def run(tmp_path: Path) -> Any:
    found = Run(tmp_path / "attempt")
    yield found
    found.close()


def test_an_agent_that_holds_too_much_memory_is_killed_with_the_figure(run: Run) -> None:
    run.python(HOG, watched=Limits(memory_bytes=100 << 20).watched())
    ended = run.ended()
    assert (ended.reason, ended.signal) == ("memory-exceeded", signal.SIGKILL)
    (note,) = [note for note in run.notes() if note["note"] == "over-limit"]
    assert (note["field"], note["limit"]) == ("max_memory_mib", 100)
    assert note["used"] >= 300


def test_an_agent_within_its_limits_goes_on(run: Run) -> None:
    run.sh("sleep 2.5; echo done", watched=Limits(processes=8, memory_bytes=64 << 20).watched())
    assert (run.ended().code, run.text()) == (0, b"done\n")


def test_too_many_processes_are_noticed_also_where_the_kernel_does_not_count(run: Run) -> None:
    run.sh("for i in $(seq 20); do sleep 60 & done; wait", watched={"max_processes": 10})
    ended = run.ended()
    assert ended.reason == "processes-exceeded"
    assert run.members() == []


def test_a_file_longer_than_it_may_be_ends_where_the_limit_is(run: Run, tmp_path: Path) -> None:
    limits = {**Limits(file_bytes=1 << 20).refused("bubblewrap")}
    run.sh(f"head -c 4M /dev/zero > {tmp_path}/long; ulimit -c", limits=limits)
    run.ended()
    assert (tmp_path / "long").stat().st_size == 1 << 20
    assert run.text() == b"0\n"


def test_what_folders_take_is_their_blocks_and_not_their_holes_or_links(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/file").write_bytes(b"x" * (3 << 20))
    with (tmp_path / "a/sparse").open("wb") as file:
        file.truncate(1 << 40)
    (tmp_path / "a/link").symlink_to(tmp_path / "a/b/file")
    (tmp_path / "a/loop").symlink_to(tmp_path / "a")
    assert used_mib([tmp_path / "a", tmp_path / "gone"]) == 3
