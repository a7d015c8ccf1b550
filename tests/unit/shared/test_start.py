"""Starting a task: what a start does, what refuses it, and the gate before it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared import attempts, commands, fleet, tasks
from shared.attempts import Ending
from shared.clock import now
from shared.commands import CommandKind, State
from shared.errors import Conflict, NotReady
from shared.lifecycle import ENDED, Status
from shared.store.models import Attempt, Task
from tests.unit.shared.played import WORKER, Board, progress, said

GATED = {"require_approval": True}


def test_a_start_freezes_the_policy_and_queues_one_attempt(board: Board) -> None:
    task = board.new(priority=7)
    attempt = tasks.request_start(task)
    task = tasks.get(task.id)
    assert (attempt.status, attempt.attempt_number, attempt.worker, attempt.epoch) == (
        Status.QUEUED,
        1,
        None,
        0,
    )
    assert (task.status, task.live_attempt, task.effective_policy) == (Status.QUEUED, attempt.id, task.policy)
    assert said(task) == [("lifecycle", "Task created"), ("lifecycle", "Effective policy frozen")]


def test_a_started_task_cannot_be_started_again_until_it_has_ended(board: Board) -> None:
    attempt = board.running()
    for status in (None, Status.NEEDS_INPUT):
        attempts.record([progress(attempt, status=status)])
        with pytest.raises(Conflict):
            tasks.request_start(attempt.task)
    attempts.finish(attempt, Ending(Status.COMPLETED))
    assert tasks.request_start(attempt.task).attempt_number == 2


@pytest.mark.parametrize("status", sorted(ENDED))
def test_an_ended_task_starts_a_new_attempt(board: Board, status: Status) -> None:
    task = board.ended(status)
    attempt = tasks.request_start(task)
    assert (attempt.attempt_number, attempt.resume, attempt.runner_session_id) == (2, False, None)
    assert tasks.get(task.id).status is Status.QUEUED


def test_resuming_continues_the_agents_session(board: Board) -> None:
    task = board.ended(Status.COMPLETED, board.agent())
    attempt = tasks.request_start(task, resume=True)
    assert (attempt.resume, attempt.runner_session_id) == (True, "session")


def test_a_shell_or_a_task_without_session_cannot_be_resumed(board: Board) -> None:
    with pytest.raises(Conflict, match="shell"):
        tasks.request_start(board.ended(Status.FAILED), resume=True)
    task = board.new(runner="codex", prompt="x")
    with pytest.raises(Conflict, match="session"):
        tasks.request_start(task, resume=True)
    assert tasks.get(task.id).status is Status.QUEUED


def test_a_missing_runner_refuses_the_start_once_a_worker_has_looked(board: Board) -> None:
    fleet.publish_runners([fleet.RunnerState("codex", False, "codex", detail="Install it.")])
    task = board.new(runner="codex", prompt="x")
    assert tasks.request_stop(tasks.get(tasks.request_start(task).task.id)) is None
    fleet.register_worker(WORKER, "0")
    with pytest.raises(NotReady, match="Install it"):
        tasks.request_start(task)
    assert Attempt.select().count() == 1
    assert said(task)[-1][0] == "error"


def test_a_start_waits_for_what_the_task_depends_on(board: Board) -> None:
    first = board.new()
    second = board.new(options={"depends_on": [first.id]})
    with pytest.raises(NotReady, match=first.id):
        tasks.request_start(second)
    board.ended(Status.READY_FOR_REVIEW, first)
    assert tasks.request_start(second)


def test_a_frozen_policy_that_objects_refuses_the_start(board: Board) -> None:
    task = board.new()
    Task.update(effective_policy={"blocked_commands": ["true"]}).execute()
    with pytest.raises(NotReady, match="blocked"):
        tasks.request_start(task)
    assert tasks.get(task.id).live_attempt is None


@pytest.mark.parametrize("kind", sorted(commands.EXCLUSIVE))
def test_no_attempt_starts_in_a_worktree_that_is_being_merged_or_removed(
    board: Board, kind: CommandKind
) -> None:
    from shared.review import landings

    task = board.ended(Status.READY_FOR_REVIEW)
    Task.update(worktree_path="/w").execute()
    work = landings.request_work(task, kind)
    with pytest.raises(Conflict, match=kind):
        tasks.request_start(task)
    commands.finish(work.id, State.APPLIED)
    assert tasks.request_start(task)


# The gate


def test_a_gated_task_waits_until_a_person_approves(board: Board) -> None:
    task = board.new(policy=GATED)
    with pytest.raises(NotReady, match="approval"):
        tasks.request_start(task)
    task = tasks.get(task.id)
    assert (task.status, task.live_attempt, tasks.attention(task)) == (Status.NEEDS_INPUT, None, "approval")
    assert task.effective_policy == task.policy
    assert said(task)[-1][0] == "error"
    for note in (None, "  fine "):
        task = tasks.approve(task, note)
    assert task.status is Status.NEEDS_INPUT
    assert [event for event in said(task) if event[0] == "input"] == [
        ("input", "Approved to start"),
        ("input", "Approved to start: fine"),
    ]
    assert tasks.request_start(task).attempt_number == 1


def test_without_a_gate_or_after_the_start_there_is_nothing_to_approve(board: Board) -> None:
    with pytest.raises(Conflict):
        tasks.approve(board.new(), None)
    task = tasks.approve(board.new(policy=GATED), None)
    attempt = board.running(task)
    with pytest.raises(Conflict):
        tasks.approve(task, None)
    attempts.finish(attempt, Ending(Status.COMPLETED))
    with pytest.raises(Conflict):
        tasks.approve(task, None)


@pytest.mark.parametrize("shift", [timedelta(), timedelta(days=-1), timedelta(days=1)])
def test_an_approval_covers_the_next_start_only_whatever_the_clock_does(
    board: Board, shift: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = tasks.approve(board.new(policy=GATED), None)
    for module in (tasks, attempts):
        monkeypatch.setattr(module, "now", lambda: now() + shift)
    board.ended(Status.COMPLETED, task)
    with pytest.raises(NotReady, match="approval"):
        tasks.request_start(task)
    monkeypatch.setattr(tasks, "now", lambda: now() - shift)
    tasks.approve(task, None)
    assert tasks.request_start(task).attempt_number == 2


def test_a_resumed_session_passes_the_gate_again(board: Board) -> None:
    task = tasks.approve(board.agent(policy=GATED), None)
    board.ended(Status.COMPLETED, task)
    with pytest.raises(NotReady, match="approval"):
        tasks.request_reply(task, "more", None)
    tasks.approve(task, None)
    attempt = tasks.request_reply(task, "more", None)
    assert isinstance(attempt, Attempt)
    assert (attempt.resume, attempt.message) == (True, "more")
