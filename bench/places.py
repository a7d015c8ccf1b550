"""Where benchmarks run: a home, repositories and an installation of their own, of which nothing is left."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.samples import until
from tests import processes
from tests.installation import ENDED, Installation, installed

GIT_CONFIG = (
    "[user]\n\tname = Bench\n\temail = bench@localhost\n[init]\n\tdefaultBranch = main\n[gc]\n\tauto = 0\n"
)
FOREIGN = ("OPENRUNTIME_", "GIT_", "CLAUDE", "CODEX_", "ANTHROPIC_", "OPENAI_", "XDG_", "PYTHON")
END_SECONDS = 60.0
DEFAULT_POLICY: dict[str, Any] = {}  # contained, without network: what a task gets that asks for nothing
LOOSE_POLICY = {"workspace_access": "full", "allow_network": True}


@contextmanager
def home() -> Iterator[Path]:
    """A new folder that is this process's HOME meanwhile; whatever still runs in it at the end is killed."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="or-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        for variable in [name for name in os.environ if name.startswith(FOREIGN) or name == "PORT"]:
            del os.environ[variable]
        os.environ["HOME"] = str(folder)
        (folder / ".gitconfig").write_text(GIT_CONFIG)
        try:
            yield folder
        finally:
            processes.end(processes.carrying(folder))
            os.environ.clear()
            os.environ.update(before)


@contextmanager
def installation(**settings: str) -> Iterator[tuple[Installation, Path]]:
    """A running web and worker process, and the folder to put repositories in."""
    with home() as folder, installed(folder, workers=1, broker="sqlite", **settings) as running:
        yield running, folder


def repository(folder: Path, files: int = 50) -> Path:
    """A repository with so many files of 20 lines in five folders, one commit on `main`."""
    for number in range(files):
        place = folder / f"d{number % 5}/f{number}.txt"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"file {number}\n" * 20)
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "base")):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


def finish(running: Installation, task_id: str) -> str:
    """Wait until the task's attempt has ended, looking rarely; returns its status."""

    def status() -> str | None:
        found = running.get(f"/tasks/{task_id}?events=0").body["status"]
        return found if found in ENDED else None

    return str(until(status, END_SECONDS, every=0.02, what=f"task {task_id} to end"))


def first_output_at(running: Installation, task_id: str) -> float:
    """When the agent's first line was stored, in seconds of the wall clock."""
    found = running.get(f"/tasks/{task_id}/events?kind=stdout&limit=1").body
    if not found:
        raise AssertionError(f"no output of {task_id}: {running.events(task_id)}\n{running.logs()}")
    return seconds(found[0]["created_at"])


def seconds(moment: str) -> float:
    """An instant of the API as seconds of the wall clock."""
    return datetime.fromisoformat(moment).timestamp()
