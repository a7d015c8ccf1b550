"""Twenty worktrees made at the same time in one repository, beside git making twenty one after the other."""

from __future__ import annotations

import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.places import home, repository
from bench.samples import Row, median, row
from workers.repository import worktrees
from workers.repository.inspect import inspect

TASKS, ROUNDS, FILES = 20, 5, 50
BASES = {"a local branch": "main", "a remote-tracking branch": "origin/main"}
BAR_RATIO = 4.0


def measure() -> list[Row]:
    """By base: seconds until all twenty are there, how many failed, and whether `.git/config` changed."""
    return [found for name, base in BASES.items() for found in _measured(name, base)]


def _measured(name: str, base: str) -> list[Row]:
    ours: list[float] = []
    bare: list[float] = []
    failed = changed = 0
    with home() as folder:
        for _ in range(ROUNDS):
            source = _cloned(Path(tempfile.mkdtemp(dir=folder)), "ours")
            before = (source / ".git/config").read_bytes()
            began = time.monotonic()
            with ThreadPoolExecutor(TASKS) as people:
                made = list(people.map(_create, [source] * TASKS, range(TASKS), [base] * TASKS))
            ours.append(time.monotonic() - began)
            failed += made.count(False)
            changed += before != (source / ".git/config").read_bytes()
            bare.append(_by_hand(_cloned(source.parent, "bare"), base))
    value, yardstick = median(ours), median(bare)
    fast = value <= BAR_RATIO * yardstick
    return [
        row(
            f"worktrees: {TASKS} at once from {name}",
            value,
            "s",
            yardstick=yardstick,
            bar=f"<= {BAR_RATIO:g} x",
            ok=fast,
        ),
        row(f"worktrees: failed of {TASKS * ROUNDS}, from {name}", failed, "", bar="= 0", ok=not failed),
        row(
            f"worktrees: rounds that changed .git/config, from {name}", changed, "", bar="= 0", ok=not changed
        ),
    ]


def _cloned(folder: Path, name: str) -> Path:
    """A clone, so that there is an `origin/main`."""
    far = folder / f"{name}-far"
    repository(far, FILES)
    subprocess.run(["git", "clone", "-q", far, folder / name], check=True)
    return folder / name


def _create(source: Path, task: int, base: str) -> bool:
    """What a task's start does; False when no usable worktree came of it."""
    found = inspect(source, dirty=False)
    assert found is not None
    try:
        made = worktrees.create(
            found,
            task_id=f"task-{task:04}",
            title="bench",
            base_ref=base,
            worktrees=source.parent / "worktrees",
            repositories=source.parent / "repositories",
        )
    except Exception:  # noqa: BLE001 -- whatever it is, it is a failure to be counted
        return False
    return (made.path / "d0/f0.txt").is_file()


def _by_hand(source: Path, base: str) -> float:
    """Seconds that git takes for as many, in turn: at the same time it loses races for `.git/config`."""
    began = time.monotonic()
    for number in range(TASKS):
        words = ["git", "worktree", "add", "-q", "-b", f"work-{number}", f"../by-hand-{number}", base]
        subprocess.run(words, cwd=source, check=True, capture_output=True)
    return time.monotonic() - began


if __name__ == "__main__":
    for result in measure():
        print(result)
