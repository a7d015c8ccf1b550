"""What an agent may take of its host: refused by the kernel, or noticed by the shim, and said."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.attempts.driver import Run
from tests.security.ordinary_user import MOST
from workers.attempts.sandbox import Limits
from workers.shim import landlock

ROOT = Path(__file__).resolve().parents[2]

HOG = "import time; held = [b'x' * (8 << 20) for _ in range(40)]; print('held', flush=True); time.sleep(60)"


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    found = Run(tmp_path / "attempt")
    yield found
    found.close()


@contextmanager
def begun(folder: Path, **started: Callable[[Run], Run]) -> Iterator[dict[str, Run]]:
    """Several attempts at once, since each look takes its time."""
    runs = {name: Run(folder / name) for name in started}
    try:
        for name, start in started.items():
            start(runs[name])
        yield runs
    finally:
        for one in runs.values():
            one.close()


def test_an_agent_over_a_watched_limit_is_killed_with_the_figure_and_any_other_goes_on(
    tmp_path: Path,
) -> None:
    small, few = Limits(memory_bytes=100 << 20), Limits(processes=10)
    with begun(
        tmp_path,
        hog=lambda run: run.python(HOG, watched=small.watched()),
        crowd=lambda run: run.sh("for i in $(seq 20); do sleep 60 & done; wait", watched=few.watched()),
        within=lambda run: run.sh("sleep 2.5; echo done", watched=Limits(8, 64 << 20).watched()),
    ) as runs:
        ended = runs["hog"].ended()
        assert (ended.reason, ended.signal) == ("memory-exceeded", signal.SIGKILL)
        (note,) = [note for note in runs["hog"].notes() if note["note"] == "over-limit"]
        assert (note["field"], note["limit"]) == ("max_memory_mib", 100)
        assert note["used"] >= 300
        assert runs["crowd"].ended().reason == "processes-exceeded"
        assert runs["crowd"].members() == []
        assert (runs["within"].ended().code, runs["within"].text()) == (0, b"done\n")


def test_a_file_longer_than_it_may_be_ends_where_the_limit_is(run: Run, tmp_path: Path) -> None:
    limits = {**Limits(file_bytes=1 << 20).refused("bubblewrap")}
    run.sh(f"head -c 4M /dev/zero > {tmp_path}/long; ulimit -c", limits=limits)
    run.ended()
    assert (tmp_path / "long").stat().st_size == 1 << 20
    assert run.text() == b"0\n"


@pytest.mark.sandbox
@pytest.mark.parametrize("tier", ["bubblewrap", "landlock"])
def test_an_ordinary_user_s_fork_bomb_is_bounded_in_each_tier_and_reaches_nothing(tier: str) -> None:
    if tier == "landlock" and not landlock.version():
        pytest.skip("this kernel has no Landlock")
    words = [sys.executable, "-P", "-m", "tests.security.ordinary_user", tier]
    done = subprocess.run(
        words, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    count, outside = done.stdout.split()
    assert 10 <= int(count) <= MOST, done.stderr
    assert outside == "held"
