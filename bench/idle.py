"""What the control plane costs while nothing happens, with 0 and 20 quiet agents, and how it takes a burst of 50."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from bench.places import finish, first_output_at, installation, repository
from bench.samples import Row, percentile, row, until
from tests import processes
from tests.installation import Installation

QUIET_AGENTS, QUIET_SECONDS, SETTLE_SECONDS = 20, 10.0, 3.0
BURST = 50
QUIET = "echo ready; exec sleep 600"
CPU_PERCENT, MEMORY_BYTES, ATTEMPT_BYTES = 1.0, 250e6, 12e6
BURST_P95_SECONDS = 3.0
MEGABYTE = 1e6


def measure() -> list[Row]:
    return [*idle(), *many()]


def idle() -> list[Row]:
    """CPU in percent of one core over ten seconds, memory as PSS: what several processes share counts once."""
    with installation(OPENRUNTIME_MAX_ATTEMPTS=str(QUIET_AGENTS)) as (running, folder):
        nothing = python_rss(folder)
        empty_cpu, empty_bytes = looked_at(folder)
        (folder / "work").mkdir()
        ids = [running.run(QUIET, folder / "work", policy={}) for _ in range(QUIET_AGENTS)]
        until(lambda: speaking(running) == QUIET_AGENTS, 60, every=0.2, what="the agents to be ready")
        full_cpu, full_bytes = looked_at(folder)
        stop(running, ids)
    each = (full_bytes - empty_bytes) / QUIET_AGENTS
    return [
        cpu("idle: CPU, no attempt", empty_cpu),
        cpu(f"idle: CPU, {QUIET_AGENTS} quiet attempts", full_cpu),
        memory("idle: memory, no attempt", empty_bytes, MEMORY_BYTES, nothing),
        memory("idle: memory per quiet attempt, agent included", each, ATTEMPT_BYTES, nothing),
    ]


def looked_at(folder: Path) -> tuple[float, float]:
    """(percent of a core, PSS in bytes) of every process around this installation, once it has come to rest."""
    time.sleep(SETTLE_SECONDS)
    family = [psutil.Process(pid) for pid in processes.carrying(folder)]
    before, began = spent(family), time.monotonic()
    time.sleep(QUIET_SECONDS)
    used = spent(family) - before
    return 100 * used / (time.monotonic() - began), sum(pss(process.pid) for process in family)


def spent(family: Iterable[psutil.Process]) -> float:
    """CPU seconds so far."""
    return sum(sum(process.cpu_times()[:2]) for process in family)


def pss(pid: int) -> int:
    """Bytes of memory, with each shared page divided by how many processes share it."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return 1024 * int(line.split()[1])
    raise LookupError(f"no PSS of process {pid}")


def python_rss(folder: Path) -> float:
    """Bytes of a Python that does nothing, at its largest."""
    words = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    done = subprocess.run([sys.executable, "-P", "-c", words], cwd=folder, capture_output=True, check=True)
    return 1024.0 * int(done.stdout)


def cpu(name: str, value: float) -> Row:
    return row(name, value, "% of a core", bar=f"<= {CPU_PERCENT:g} %", ok=value <= CPU_PERCENT)


def memory(name: str, value: float, bar: float, yardstick: float) -> Row:
    said = f"<= {bar / MEGABYTE:g} MB"
    return row(name, value / MEGABYTE, "MB", yardstick=yardstick / MEGABYTE, bar=said, ok=value <= bar)


def many() -> list[Row]:
    """Fifty starts in one burst: seconds until each agent's first line is stored, and how many do not live then."""
    with installation(OPENRUNTIME_MAX_ATTEMPTS=str(BURST)) as (running, folder):
        bare = burst_of_worktrees(repository(folder / "bare"))
        place = repository(folder / "repo")
        ids = [str(running.create(QUIET, place, policy={})["id"]) for _ in range(BURST)]
        with ThreadPoolExecutor(BURST) as threads:
            requested = list(threads.map(lambda task_id: request_start(running, task_id), ids))
        until(lambda: speaking(running) == BURST, 120, every=0.2, what="every agent's first line")
        took = [first_output_at(running, task_id) - at for task_id, at in zip(ids, requested, strict=True)]
        lost = sum(running.task(task_id)["status"] != "running" for task_id in ids)
        stop(running, ids)
    value = percentile(took, 0.95)
    bar = f"<= {BURST_P95_SECONDS:g} s"
    return [
        row(
            f"many: {BURST} at once, p95 start",
            value,
            "s",
            yardstick=bare,
            bar=bar,
            ok=value <= BURST_P95_SECONDS,
        ),
        row(f"many: lost of {BURST}", lost, "attempts", bar="0", ok=lost == 0),
    ]


def speaking(running: Installation) -> int:
    """How many tasks have output; asked of the store itself, so that the question costs the server nothing."""
    with contextlib.closing(sqlite3.connect(running.data / "openruntime.sqlite3")) as store:
        return int(
            store.execute("SELECT count(DISTINCT task) FROM event WHERE kind = 'stdout'").fetchone()[0]
        )


def stop(running: Installation, ids: list[str]) -> None:
    """Stop the agents, and wait until their attempts have ended."""
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda task_id: running.post(f"/tasks/{task_id}/stop"), ids))
    for task_id in ids:
        finish(running, task_id)


def request_start(running: Installation, task_id: str) -> float:
    """When the request was sent, in seconds of the wall clock."""
    before = time.time()
    answer = running.request("POST", f"/tasks/{task_id}/start", timeout=60)
    if answer.status not in (200, 202):
        raise AssertionError(f"the start was answered with {answer.status}: {answer.body}")
    return before


def burst_of_worktrees(place: Path) -> float:
    """Seconds of a shell loop that makes so many worktrees at once and runs a shell in each."""
    one = "git worktree add -q -b b$i ../bare-$i && (cd ../bare-$i && /bin/sh -c 'echo started')"
    # git's own adds lose races for its lock files (3 of 20); a loop that works tries again
    loop = f"for i in $(seq {BURST}); do (until {one}; do rm -rf ../bare-$i; git branch -qD b$i; done) & done; wait"
    before = time.monotonic()
    subprocess.run(["/bin/sh", "-c", loop], cwd=place, check=True, timeout=120, capture_output=True)
    return time.monotonic() - before


if __name__ == "__main__":
    for result in measure():
        print(result)
