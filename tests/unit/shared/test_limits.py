"""A task that a usage limit stopped goes on by itself, if that was asked for, once the limit is lifted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared import archive, attempts, limits, tasks
from shared.attempts import Ending
from shared.clock import now
from shared.lifecycle import Status
from shared.store.models import Attempt, Task
from tests.unit.shared.played import Board

WANTED = {"resume_after_limit": True}


def limited(board: Board, hours: float = -1, **fields: Any) -> Task:
    """A task whose attempt ended at a limit that is lifted in so many hours."""
    attempt = board.running(board.agent(**{"options": WANTED, **fields}))
    at = now() + timedelta(hours=hours)
    ending = Ending(Status.FAILED, outcome="usage-limit", limit_resets_at=at, summary="Usage limit reached")
    assert attempts.finish(attempt, ending)
    return tasks.get(attempt.task.id)


def test_it_resumes_its_session_with_a_word_why(board: Board) -> None:
    task = limited(board)
    assert limits.resume_due() == 1
    resumed = Attempt.get_by_id(tasks.get(task.id).live_attempt)
    assert (resumed.resume, resumed.message) == (True, limits.MESSAGE)
    assert limits.resume_due() == 0


@pytest.mark.parametrize("fields", [{"options": {}}, {"hours": 1}])
def test_not_unless_it_was_asked_for_and_the_limit_is_lifted(board: Board, fields: dict[str, Any]) -> None:
    task = limited(board, **fields)
    assert limits.resume_due() == 0
    assert tasks.get(task.id).status is Status.FAILED


def test_not_what_was_started_again_or_archived_meanwhile(board: Board) -> None:
    again, archived = limited(board), limited(board)
    attempts.finish(board.running(again), Ending(Status.FAILED))
    archive.set_archived(archived, True)
    assert limits.resume_due() == 0


def test_one_that_may_not_start_is_tried_once_and_left_alone(board: Board) -> None:
    task = limited(board, policy={"budget_cents": 1})
    Task.update(ledger={"cost_micros": 1_000_000}).where(Task.number == task.number).execute()
    assert limits.resume_due() == 0
    assert limits.resume_due() == 0
    assert tasks.get(task.id).status is Status.FAILED
