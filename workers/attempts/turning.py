"""Captures of what is there when a turn begins, within bounds: they hold up neither an agent's start nor a reply."""

from __future__ import annotations

import logging

from shared import attempts, worktree_setup
from shared.config import Config
from shared.events import Draft, Kind
from shared.review.landings import latest_capture
from shared.store.models import Attempt, Task
from workers.attempts import capturing
from workers.attempts.place import worktree_of
from workers.repository import time_limit

log = logging.getLogger(__name__)
#: How long a start waits for the capture, and a reply, whose answer is to come within two seconds.
START_SECONDS = 5.0
REPLY_SECONDS = 1.5
NOT_IN_TIME = (
    "The files could not be captured before this turn; what it changed is counted from the capture before it."
)


def before_attempt(task: Task, attempt: Attempt, config: Config) -> str | None:
    """The capture that the attempt's first turn begins from, None for the base; `task` as it was before its place was made.

    A worktree that was made just now holds the base, and what a set-up command wrote there.
    """
    if task.worktree_path is None:
        wanted = worktree_setup.of(task)
        if not (wanted.command or wanted.from_repository):
            return None
    return state(attempt, config, START_SECONDS)


def state(attempt: Attempt, config: Config, within_seconds: float) -> str | None:
    """The id of a capture of the files as they are now, though somebody may be writing them; None for the base.

    Where it takes longer or fails, it is the capture before it, and the timeline says so.
    """
    task = Task.get_by_id(attempt.task_id)
    last = latest_capture(task)
    worktree = worktree_of(task, config)
    if worktree is None:
        return None
    try:
        with time_limit.within(within_seconds):
            taken = capturing.take(task, worktree, config, why="turn", live=True)
        return taken.id
    except Exception:  # whatever it is, a person's words must not wait for ever
        log.warning("what is there before a turn of task %s was not captured", task.id, exc_info=True)
        attempts.note(attempt, [Draft(Kind.ERROR, NOT_IN_TIME)])
        return last.id if last is not None else None
