"""From `POST …/start` to the agent's first stored byte, beside a bare worktree and shell in the same run."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from bench.places import finish, first_output_at, installation, repository
from bench.samples import Row, percentile, row
from tests.installation import Installation

MOST_SAMPLES, MOST_SECONDS = 500, 90.0
WARM_UP = 5
STARTS_PER_REPOSITORY = 50  # a repository with hundreds of worktrees is nobody's, and git gets slow in it
OVER_P50_MILLISECONDS, OVER_P99_MILLISECONDS = 150.0, 500.0


def measure(most: int = MOST_SAMPLES) -> list[Row]:
    """p50 and p99 in milliseconds; the bars are on the difference to the yardstick's same quantile."""
    ours: list[float] = []
    bare: list[float] = []
    ends = time.monotonic() + MOST_SECONDS
    with installation() as (running, folder):
        for number in range(most + WARM_UP):
            if time.monotonic() > ends:
                break
            place = folder / f"repo-{number // STARTS_PER_REPOSITORY}"
            if not place.exists():
                repository(place / "ours")
                repository(place / "bare")
            took = started(running, place / "ours"), worktree_and_shell(place, number)
            if number >= WARM_UP:
                ours.append(took[0])
                bare.append(took[1])
    return [
        over("start p50", ours, bare, 0.5, OVER_P50_MILLISECONDS),
        over("start p99", ours, bare, 0.99, OVER_P99_MILLISECONDS),
    ]


def over(name: str, ours: list[float], bare: list[float], quantile: float, allowed: float) -> Row:
    """A row whose bar is the yardstick and so many milliseconds."""
    value, yardstick = percentile(ours, quantile), percentile(bare, quantile)
    bar = f"<= yardstick + {allowed:g} ms"
    return row(name, value, "ms", yardstick=yardstick, bar=bar, ok=value <= yardstick + allowed)


def started(running: Installation, place: Path) -> float:
    """Milliseconds of one start under the default policy; the attempt has ended when this returns."""
    task = running.create("echo started", place, policy={})
    before = time.time()
    answer = running.post(f"/tasks/{task['id']}/start")
    if answer.status not in (200, 202):
        raise AssertionError(f"the start was answered with {answer.status}: {answer.body}")
    finish(running, task["id"])
    return 1000 * (first_output_at(running, task["id"]) - before)


def worktree_and_shell(place: Path, number: int) -> float:
    """Milliseconds of the least that any program must do: a worktree, and a shell that says something."""
    target = place / f"bare-{number}"
    before = time.perf_counter()
    words = ["git", "worktree", "add", "-q", "-b", f"bare-{number}", str(target)]
    subprocess.run(words, cwd=place / "bare", check=True)
    subprocess.run(["/bin/sh", "-c", "echo started"], cwd=target, check=True, stdout=subprocess.DEVNULL)
    return 1000 * (time.perf_counter() - before)


if __name__ == "__main__":
    for found in measure():
        print(found)
