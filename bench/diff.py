"""Capture of 1,000 edits in 50,000 files, beside git's own three commands with a warm index."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from workers.repository import capture, worktrees
from workers.repository.inspect import inspect
from workers.repository.worktree import Worktree

FILES = 50_000
EDITS = 1_000
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


def measure(files: int = FILES, edits: int = EDITS) -> list[dict[str, Any]]:
    """One row: our capture in milliseconds, and git's `add -A`, `write-tree` and `diff-tree` of the same edits."""
    folder = Path(tempfile.mkdtemp(prefix="openruntime-bench-"))
    try:
        source = _repository(folder / "repo", files)
        found = inspect(source, dirty=False)
        assert found is not None
        made = worktrees.create(
            found,
            task_id="bench-diff",
            title="bench",
            base_ref=None,
            worktrees=folder / "worktrees",
            repositories=folder / "repositories",
        )
        ours, raw = [], []
        _ours(made), _raw(source)
        for number in range(ROUNDS):
            for place in (made.path, source):
                _edit(place, files, edits, number)
            if number % 2:  # whoever comes first pays for the disk's work with the edits
                raw.append(_raw(source))
                ours.append(_ours(made))
            else:
                ours.append(_ours(made))
                raw.append(_raw(source))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    value, yardstick = statistics.median(ours), statistics.median(raw)
    ratio = value / yardstick
    return [
        {
            "name": f"diff: capture of {edits} edits in {files} files",
            "value": round(value, 1),
            "unit": "ms",
            "yardstick": round(yardstick, 1),
            "ratio": round(ratio, 2),
            "bar": BAR,
            "ok": ratio <= BAR,
        }
    ]


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


def _edit(folder: Path, files: int, edits: int, number: int) -> None:
    for edit in range(edits):
        target = edit * (files // edits)
        with (folder / f"d{target % 500}" / f"f{target}.txt").open("a") as opened:
            opened.write(f"edit {number}\n")


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
    for row in measure():
        print(row)
