"""Captures of large changes, beside git's own three commands with a warm index."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.samples import Row, median, row
from workers.repository import capture, worktrees
from workers.repository.inspect import inspect
from workers.repository.worktree import Worktree

FEW = (50_000, 1_000)
ALL = (2_700, 2_700)
UNTRACKED = 20_000
ROUNDS = 6
BAR = 1.3
ENVIRON = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_COUNT": "2",
    "GIT_CONFIG_KEY_0": "user.name",
    "GIT_CONFIG_VALUE_0": "bench",
    "GIT_CONFIG_KEY_1": "user.email",
    "GIT_CONFIG_VALUE_1": "bench@localhost",
}


def measure() -> list[Row]:
    """Our capture in milliseconds beside git's `add -A`, `write-tree` and `diff-tree` of the same change: few edits in
    many files, a change of every file, and new files that nobody has added.
    """
    found = []
    for files, edits in (FEW, ALL):
        name = f"diff: capture of {edits} edits in {files} files"
        found.append(_measured(name, files, _edited(files, edits)))
    return [*found, _measured(f"diff: capture of {UNTRACKED} untracked files", 50, _added)]


def _measured(name: str, files: int, change: Callable[[Path, int], None]) -> Row:
    folder = Path(tempfile.mkdtemp(prefix="openruntime-bench-"))
    try:
        source = _repository(folder / "repo", files)
        repository = inspect(source, dirty=False)
        assert repository is not None
        made = worktrees.create(
            repository,
            task_id="bench-diff",
            title="bench",
            base_ref=None,
            worktrees=folder / "worktrees",
            repositories=folder / "repositories",
        )
        ours: list[float] = []
        raw: list[float] = []
        _ours(made), _raw(source)
        for number in range(ROUNDS):
            for place in (made.path, source):
                change(place, number)
            if number % 2:  # whoever comes first pays for the disk's work with the edits
                raw.append(_raw(source))
                ours.append(_ours(made))
            else:
                ours.append(_ours(made))
                raw.append(_raw(source))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    value, yardstick = median(ours), median(raw)
    return row(name, value, "ms", yardstick=yardstick, bar=f"<= {BAR:g} x", ok=value <= BAR * yardstick)


def _repository(folder: Path, files: int) -> Path:
    for number in range(files):
        place = folder / f"d{number % 500}"
        if number < 500:
            place.mkdir(parents=True)
        (place / f"f{number}.txt").write_text(f"file {number}\n" * 20)
    for words in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-qm", "base")):
        subprocess.run(["git", *words], cwd=folder, env=ENVIRON, check=True)
    time.sleep(1.1)  # past the second of the index, as a warm index is
    subprocess.run(["git", "update-index", "-q", "--refresh"], cwd=folder, env=ENVIRON, check=True)
    return folder


def _edited(files: int, edits: int) -> Callable[[Path, int], None]:
    def edit(folder: Path, number: int) -> None:
        for turn in range(edits):
            target = turn * (files // edits)
            with (folder / f"d{target % 500}" / f"f{target}.txt").open("a") as opened:
                opened.write(f"edit {number}\n")

    return edit


def _added(folder: Path, number: int) -> None:
    """As many new files as there were, with other content."""
    place = folder / "new"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    for turn in range(UNTRACKED):
        (place / f"n{turn}.txt").write_text(f"{number} {turn}\n")


def _ours(made: Worktree) -> float:
    started = time.perf_counter()
    capture.take(made)
    return (time.perf_counter() - started) * 1000


def _raw(folder: Path) -> float:
    started = time.perf_counter()
    subprocess.run(["git", "add", "-A"], cwd=folder, env=ENVIRON, check=True)
    tree = subprocess.run(
        ["git", "write-tree"], cwd=folder, env=ENVIRON, check=True, capture_output=True, text=True
    )
    words = ["git", "diff-tree", "-r", "-p", "-M", "--binary", "--full-index", "HEAD", tree.stdout.strip()]
    subprocess.run(words, cwd=folder, env=ENVIRON, check=True, capture_output=True)
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    for found in measure():
        print(found)
