"""Watches what agents leave on the disk: each attempt's own share, and the room that is left for everybody.

No file system here counts for a user, so folders are walked now and then, never longer than a hundredth of the time.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from shared import attempts, tasks, timeline
from shared.config import Config
from shared.errors import NotReady, Refused
from shared.events import Draft
from shared.lifecycle import Status, StopReason
from shared.policy import in_force
from shared.store.database import close, transaction
from shared.store.models import Attempt, Task
from workers.attempts.narration import over_limit
from workers.attempts.place import worktree_of
from workers.attempts.sandbox.limits import MEBIBYTE

log = logging.getLogger(__name__)
ROUND_SECONDS = 5.0
WALK_SECONDS = 30.0
#: A walk that takes long is made seldom.
WALK_SHARE = 0.01
MOST_ENTRIES = 1_000_000


def free_mib(folder: Path) -> int:
    """What an ordinary user may still write on the file system of a folder."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize // MEBIBYTE


def refuse_full(config: Config) -> None:
    """Raises NotReady where less room is left than is kept free."""
    left = free_mib(config.data)
    if left < config.min_free_mib:
        raise NotReady(
            f"Only {left:,} MiB are free on the disk of {config.data}, and OPENRUNTIME_MIN_FREE_MIB keeps "
            f"{config.min_free_mib:,}; make room, then start again."
        )


def used_mib(folders: Iterable[Path]) -> int:
    """What the files below these folders take on the disk, holes not counted and links not followed.

    Of the first million of them; what an agent nests deeper than the longest path is not seen either. The room that
    is kept free bounds both.
    """
    return sum(found.st_blocks * 512 for found in islice(_below(folders), MOST_ENTRIES)) // MEBIBYTE


def _below(folders: Iterable[Path]) -> Iterator[os.stat_result]:
    waiting = [str(folder) for folder in folders]
    while waiting:
        with suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                yield entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)


class DiskWatch(threading.Thread):
    """Looks after the attempts of one worker, on its own thread."""

    def __init__(self, worker: str, config: Config) -> None:
        super().__init__(name="disk", daemon=True)
        self._worker, self._config = worker, config
        self._closing = threading.Event()
        self._due: dict[str, float] = {}
        self._ended: set[str] = set()

    def run(self) -> None:
        while not self._closing.wait(ROUND_SECONDS):
            try:
                self.round()
            except Exception:
                log.exception("the disk could not be looked at")
        close()

    def stop(self) -> None:
        self._closing.set()
        self.join(2)

    def round(self) -> None:
        """One look at every attempt that works."""
        mine = [
            one for one in attempts.claimed() if one.worker == self._worker and one.status is Status.RUNNING
        ]
        self._due = {one.id: self._due.get(one.id, 0.0) for one in mine}
        self._ended &= {one.id for one in mine}
        for attempt in mine:
            if attempt.id not in self._ended:
                self._look_after(Task.get_by_id(attempt.task_id), attempt)

    def _look_after(self, task: Task, attempt: Attempt) -> None:
        place, least = Path(task.execution_workspace or task.workspace), self._config.min_free_mib
        if place.is_dir() and (left := free_mib(place)) < least:
            said = over_limit(attempt.id, "OPENRUNTIME_MIN_FREE_MIB", left, least)
            self._end(task, attempt, StopReason.DISK_FULL, said)
            return
        most = in_force(task).max_disk_mib
        if most is not None and time.monotonic() >= self._due[attempt.id]:
            began = time.monotonic()
            used = used_mib(self._folders(task, attempt))
            took = time.monotonic() - began
            self._due[attempt.id] = began + max(WALK_SECONDS, took / WALK_SHARE)
            if used > most:
                self._end(task, attempt, StopReason.DISK, over_limit(attempt.id, "max_disk_mib", used, most))

    def _folders(self, task: Task, attempt: Attempt) -> Iterator[Path]:
        """What is the attempt's alone: a folder it works in without a worktree is its person's."""
        yield self._config.attempts / attempt.id
        if task.worktree_path:
            yield Path(task.worktree_path)
        if worktree := worktree_of(task, self._config):
            yield worktree.agent_git_directory

    def _end(self, task: Task, attempt: Attempt, reason: StopReason, said: Draft) -> None:
        self._ended.add(attempt.id)
        try:
            with transaction():
                if tasks.request_stop(task, reason) is not None:
                    timeline.append(task.number, [said], attempt.id)
        except Refused:
            log.info("task %s had ended before it was stopped for the disk", task.id)
