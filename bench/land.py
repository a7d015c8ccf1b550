"""Eight tasks landed at once on one branch that is checked out, beside git merging eight such branches in turn."""

from __future__ import annotations

import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.places import finish, installation, repository
from bench.samples import Row, percentile, row
from tests.installation import Installation

TASKS, ROUNDS = 8, 5
BAR_RATIO = 12.0


def measure(rounds: int = ROUNDS) -> list[Row]:
    """Seconds until all eight have landed, and how many were refused or lost: each of those has no place here."""
    ours: list[float] = []
    bare: list[float] = []
    landed = refused = lost = 0
    with installation() as (running, folder):
        for number in range(rounds):
            place = repository(folder / f"ours-{number}")
            ids = [running.run(work(task), place, policy={}) for task in range(TASKS)]
            for task_id in ids:
                finish(running, task_id)
            began = time.monotonic()
            with ThreadPoolExecutor(TASKS) as people:
                codes = list(people.map(lambda id: merge(running, id), ids))
            ours.append(time.monotonic() - began)
            on_main = git(place, "log", "--format=%(trailers:key=OpenRuntime-Task,valueonly)").split()
            landed += len(on_main)
            refused += sum(code != 200 for code in codes)
            lost += sum(code == 200 and id not in on_main for id, code in zip(ids, codes, strict=True))
            bare.append(merged_by_hand(repository(folder / f"bare-{number}")))
    wanted = TASKS * rounds
    ratio = percentile(ours, 0.5) / percentile(bare, 0.5)
    return [
        row(
            "land: eight at once, p50",
            percentile(ours, 0.5),
            "s",
            yardstick=percentile(bare, 0.5),
            bar=f"<= {BAR_RATIO:g} x",
            ok=ratio <= BAR_RATIO,
        ),
        row("land: landed", landed, "", bar=f"= {wanted}", ok=landed == wanted),
        row("land: refused or lost", refused + lost, "", bar="= 0", ok=refused + lost == 0),
    ]


def work(number: int) -> str:
    """A change of one file and a new one, nobody else's."""
    return f"echo changed >> d{number % 5}/f{number}.txt; echo new > new-{number}.txt"


def merge(running: Installation, task_id: str) -> int:
    """The status the merge was answered with; one that takes longer than an answer waits is waited for."""
    status = running.post(f"/tasks/{task_id}/worktree/merge").status
    while running.task(task_id)["pending_command"] is not None:
        time.sleep(0.05)
    return 200 if running.task(task_id)["worktree_merged_at"] else status


def merged_by_hand(place: Path) -> float:
    """Seconds that git takes to squash eight branches of the same work, one after the other."""
    for number in range(TASKS):
        git(place, "checkout", "-q", "-b", f"work-{number}", "main")
        subprocess.run(["/bin/sh", "-c", work(number)], cwd=place, check=True)
        git(place, "add", "-A")
        git(place, "commit", "-qm", f"work {number}")
    git(place, "checkout", "-q", "main")
    began = time.monotonic()
    for number in range(TASKS):
        git(place, "merge", "-q", "--squash", f"work-{number}")
        git(place, "commit", "-qm", f"land {number}")
    return time.monotonic() - began


def git(place: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=place, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    for result in measure():
        print(result)
