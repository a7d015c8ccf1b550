"""What becomes of replies: queued, delivered, answered, failed, or taken back in time."""

from __future__ import annotations

import pytest

from shared import attempts, commands, followups, tasks
from shared.attempts import Ending
from shared.commands import State
from shared.errors import Conflict, NotFound
from shared.lifecycle import Status
from shared.store.models import Attempt, Command, Task
from tests.unit.shared.played import Board, progress


def talking(board: Board) -> tuple[Task, Attempt, Command]:
    """A task whose agent works, and a reply to it that waits for the end of the turn."""
    attempt = board.running(board.agent())
    task = tasks.get(attempt.task.id)
    reply = tasks.request_reply(task, "and then?", "queue")
    assert isinstance(reply, Command)
    return task, attempt, reply


def state_of(task: Task) -> str:
    (found,) = followups.of(task)
    return found.state


def test_a_reply_is_queued_then_delivered_then_answered(board: Board) -> None:
    task, attempt, reply = talking(board)
    assert [found.message for found in followups.queued(task)] == ["and then?"]
    assert state_of(task) == "queued"
    commands.finish(reply.id, State.APPLIED, {"delivery": "stdin"})
    assert (state_of(task), followups.queued(task)) == ("delivered", [])
    attempts.record([progress(attempt, at_rest=True)])
    assert state_of(task) == "answered"


def test_the_end_of_the_attempt_answers_what_was_delivered(board: Board) -> None:
    task, attempt, reply = talking(board)
    commands.finish(reply.id, State.APPLIED)
    attempts.finish(attempt, Ending(Status.COMPLETED))
    assert state_of(task) == "answered"


def test_what_the_agent_refused_or_never_took_before_a_stop_has_failed(board: Board) -> None:
    task, attempt, _ = talking(board)
    attempts.finish(attempt, Ending(Status.STOPPED, stop_reason="user"))
    assert state_of(task) == "failed"


def test_a_reply_can_be_taken_back_until_it_goes_out(board: Board) -> None:
    task, _, reply = talking(board)
    assert followups.withdraw(task, reply.id).state == "withdrawn"
    assert followups.queued(task) == []
    with pytest.raises(Conflict, match="already withdrawn"):
        followups.withdraw(task, reply.id)


def test_not_once_the_agent_has_it(board: Board) -> None:
    task, _, reply = talking(board)
    commands.finish(reply.id, State.APPLIED)
    with pytest.raises(Conflict, match="already delivered"):
        followups.withdraw(task, reply.id)


def test_replies_of_other_tasks_are_not_found(board: Board) -> None:
    _, _, reply = talking(board)
    with pytest.raises(NotFound):
        followups.withdraw(board.new(), reply.id)


def test_an_agent_that_takes_no_words_while_it_works_gets_them_after_its_turn(board: Board) -> None:
    attempt = board.running(board.agent(options={"mode": "oneshot"}))
    reply = tasks.request_reply(tasks.get(attempt.task.id), "more", "steer")
    assert isinstance(reply, Command)
    assert reply.body["mode"] == "queue"
