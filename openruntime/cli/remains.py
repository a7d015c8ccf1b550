"""What `doctor` finds left over: agents nobody supervises, worktrees nobody knows; reads only."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import psutil

from openruntime.cli.checks import Check, Level
from openruntime.cli.context import Invocation

TAG = "OPENRUNTIME_ATTEMPT_ID"
NAMED = 5
BUSY_SECONDS = 5.0


def stray_processes(invocation: Invocation) -> Iterator[Check]:
    """Processes of an attempt that has ended, by the tag every process of an attempt inherits."""
    ended = _column(invocation.config.database, "SELECT id FROM attempt WHERE finished_at IS NOT NULL")
    found = [(pid, name) for pid, name, attempt in tagged() if attempt in ended]
    if not found:
        yield Check("processes", Level.OK, "no stray agent process")
        return
    shown = ", ".join(f"{pid} ({name})" for pid, name in found[:NAMED])
    pids = " ".join(str(pid) for pid, _ in found)
    yield Check(
        "processes", Level.WARN, f"{len(found)} processes outlived their attempt: {shown}", f"kill {pids}"
    )


def tagged() -> Iterator[tuple[int, str, str]]:
    """Pid, program name and attempt id of every process of ours that belongs to an attempt."""
    for process in psutil.process_iter():
        try:
            attempt = process.environ().get(TAG)
            if attempt and process.status() != psutil.STATUS_ZOMBIE:
                yield process.pid, process.name(), attempt
        except (psutil.Error, OSError):  # gone meanwhile, or another user's
            continue


def drift(invocation: Invocation) -> Iterator[Check]:
    """Worktree folders without a task, and tasks whose worktree has gone."""
    config = invocation.config
    known = _column(config.database, "SELECT id FROM task")
    standing = _column(
        config.database,
        "SELECT worktree_path FROM task WHERE worktree_path IS NOT NULL AND worktree_cleaned_at IS NULL",
    )
    folders = (
        [path for path in config.worktrees.iterdir() if path.is_dir()] if config.worktrees.is_dir() else []
    )
    unknown = [path for path in folders if path.name not in known]
    missing = sorted(path for path in standing if not Path(path).is_dir())
    if unknown:
        yield Check(
            "drift",
            Level.WARN,
            f"{len(unknown)} worktrees belong to no task: {_named(unknown)}",
            "Save what you need from them, then remove them with `git worktree remove` in their repository.",
        )
    if missing:
        yield Check(
            "drift",
            Level.WARN,
            f"{len(missing)} tasks have lost their worktree: {_named(missing)}",
            "`openruntime cleanup --force ID` forgets it; the last capture stays.",
        )
    if not unknown and not missing:
        yield Check("drift", Level.OK, f"{len(standing)} worktrees, as recorded")


def _named(paths: list[Path] | list[str]) -> str:
    more = f" and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
    return ", ".join(str(path) for path in paths[:NAMED]) + more


def _column(database: Path, query: str) -> set[str]:
    """One column of the store, opened read-only; empty where there is no store yet."""
    if not database.is_file():
        return set()
    address = f"file:{quote(str(database))}?mode=ro"
    with closing(sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS)) as store:
        return {str(value) for (value,) in store.execute(query)}
