"""What a worker does with an attempt: claim, record, give back, take over, end; and what a lost claim may not do."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared import attempts, backlog, clock, commands, tasks, timeline
from shared.approvals import Question, Verdict
from shared.attempts import CLAIMS, Ending
from shared.clock import now
from shared.commands import CommandKind, State
from shared.events import Draft, Kind
from shared.lifecycle import ENDED, LIVE, Status
from shared.store.database import transaction
from shared.store.models import Approval, Attempt, Command, Event, Task
from tests.unit.shared.played import WORKER, Board, approval_of, commands_of, progress, said, seqs

LINE = Draft(Kind.STDOUT, "a line")
QUESTION = Question("r1", "Bash", "Run make")


def epochs_of(attempt: Attempt) -> tuple[Any, ...]:
    found = attempts.reload(attempt)
    return found.status, found.epoch, found.log_offset, found.worker, tasks.get(found.task.id).status


def test_a_claim_makes_attempt_and_task_running(board: Board) -> None:
    queued = board.queued()
    attempt = attempts.claim_next(WORKER, 8)
    assert attempt == queued
    assert attempt is not None
    assert (attempt.status, attempt.worker, attempt.epoch, attempt.claims) == (Status.RUNNING, WORKER, 1, 1)
    assert attempt.started_at is not None
    assert tasks.get(attempt.task.id).status is Status.RUNNING
    assert attempts.claim_next(WORKER, 8) is None
    assert attempts.claimed() == [attempt]


def test_claims_go_by_priority_then_by_age_whatever_the_clock_does(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = []
    for number, priority in enumerate((0, 5, 0, -1, 5)):
        monkeypatch.setattr(tasks, "now", lambda n=number: clock.now() - timedelta(days=n))
        wanted.append((-priority, number, board.queued(board.new(priority=priority)).id))
    assert backlog.queued() == 5
    claimed = [attempts.claim_next(WORKER, 8) for _ in wanted]
    assert [one and one.id for one in claimed] == [id for _, _, id in sorted(wanted)]
    assert backlog.queued() == 0


def test_no_more_run_than_there_are_slots_and_waiting_for_a_person_holds_none(board: Board) -> None:
    for _ in range(4):
        board.queued()
    first, second = (attempts.claim_next(WORKER, 2) for _ in range(2))
    assert first is not None
    assert second is not None
    assert attempts.claim_next("worker-2", 2) is None
    attempts.record([progress(first, status=Status.NEEDS_INPUT)])
    assert attempts.claim_next("worker-2", 2) is not None
    assert attempts.claim_next("worker-2", 2) is None
    attempts.finish(second, Ending(Status.COMPLETED))
    assert attempts.claim_next("worker-2", 2) is not None


def test_a_released_attempt_is_queued_again_at_its_old_place(board: Board) -> None:
    attempt = board.running()
    other = board.queued()
    assert attempts.release(attempt, "the worker failed")
    found = attempts.reload(attempt)
    assert (found.status, found.worker, found.finished_at) == (Status.QUEUED, None, None)
    assert tasks.get(attempt.task.id).status is Status.QUEUED
    again = [attempts.claim_next("worker-2", 8) for _ in range(2)]
    assert [one and one.id for one in again] == [attempt.id, other.id]


def test_after_the_third_claim_a_start_that_fails_is_the_end(board: Board) -> None:
    attempt: Attempt | None = board.running()
    for _ in range(CLAIMS - 1):
        assert attempt is not None
        assert attempts.release(attempt, "no sandbox")
        attempt = attempts.claim_next(WORKER, 8)
    assert attempt is not None
    assert attempts.release(attempt, "no sandbox")
    task, found = tasks.get(attempt.task.id), attempts.reload(attempt)
    assert (task.status, task.live_attempt) == (Status.FAILED, None)
    assert (found.status, found.blocked_reason, found.summary) == (Status.FAILED, "no sandbox", "no sandbox")
    event = timeline.latest(task, 1)[0]
    assert (event.kind, event.metadata["category"]) == ("error", "attempt-start-failed")
    assert "no sandbox" in event.message


def test_an_attempt_given_back_after_a_stop_is_stopped_instead_of_queued(board: Board) -> None:
    attempt = board.running()
    stop = tasks.request_stop(attempt.task)
    assert stop is not None
    assert attempts.release(attempt, "its worker died")
    assert attempts.claim_next(WORKER, 8) is None
    assert tasks.get(attempt.task.id).status is Status.STOPPED
    assert Command.get_by_id(stop.id).state == State.APPLIED


@pytest.mark.parametrize("status", sorted(LIVE))
def test_one_worker_takes_over_from_a_dead_one_and_fences_it(board: Board, status: Status) -> None:
    attempt = board.running()
    attempts.record([progress(attempt, status=status)])
    taken = attempts.adopt(attempt, "worker-2")
    assert taken is not None
    assert (taken.worker, taken.epoch, taken.status) == ("worker-2", 2, status)
    assert attempts.adopt(attempt, "worker-3") is None


# What a writer whose claim is lost may do: nothing.


def stale(board: Board) -> Attempt:
    attempt = board.running()
    assert attempts.adopt(attempt, "worker-2")
    return attempt


WRITES = {
    "record": lambda it: (
        not attempts.record([progress(it, log_offset=9, status=Status.NEEDS_INPUT, drafts=[LINE])])
    ),
    "finish": lambda it: attempts.finish(it, Ending(Status.FAILED, drafts=[LINE])),
    "release": lambda it: attempts.release(it, "x"),
    "start_failed": lambda it: attempts.start_failed(it, "x"),
    "stopped_before_start": lambda it: attempts.stopped_before_start(it),
    "commit_start": lambda it: attempts.commit_start(it, {"pid": 1}, [LINE], session_id="s", report={"a": 1}),
    "place": lambda it: attempts.place(it, [LINE], worktree_path="/x", execution_workspace="/x"),
    "note": lambda it: attempts.note(it, [LINE]),
    "adopt": lambda it: attempts.adopt(it, "worker-3"),
}


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("lost", ["adopted", "ended"])
def test_a_lost_claim_writes_nothing(board: Board, write: str, lost: str) -> None:
    attempt = stale(board) if lost == "adopted" else board.running()
    if lost == "ended":
        attempts.finish(attempt, Ending(Status.COMPLETED))
    before = (epochs_of(attempt), said(attempt.task), Task.get_by_id(attempt.task_id).__data__)
    assert not WRITES[write](attempt)
    assert (epochs_of(attempt), said(attempt.task), Task.get_by_id(attempt.task_id).__data__) == before


def test_a_fenced_writer_is_named_and_the_others_of_its_batch_are_kept(board: Board) -> None:
    fenced, good = stale(board), board.running()
    lost = attempts.record([progress(fenced, drafts=[LINE]), progress(good, log_offset=7, drafts=[LINE])])
    assert lost == {fenced.id}
    assert attempts.reload(good).log_offset == 7
    assert said(good.task)[-1] == ("stdout", "a line")
    assert ("stdout", "a line") not in said(fenced.task)


# Recording


def test_events_offset_and_state_are_one_commit(board: Board) -> None:
    attempt = board.running()
    attempts.record(
        [
            progress(
                attempt,
                log_offset=42,
                reader_state='{"a":1}',
                runner_state='{"b":2}',
                session_id="s1",
                status=Status.NEEDS_INPUT,
                drafts=[LINE, LINE],
            )
        ]
    )
    found, task = attempts.reload(attempt), tasks.get(attempt.task.id)
    assert (found.log_offset, found.reader_state, found.runner_state) == (42, {"a": 1}, {"b": 2})
    assert (found.runner_session_id, task.runner_session_id) == ("s1", "s1")
    assert (found.status, task.status) == (Status.NEEDS_INPUT, Status.NEEDS_INPUT)
    assert seqs(task) == list(range(1, task.last_seq + 1))
    attempts.record([progress(attempt, log_offset=43)])
    kept = attempts.reload(attempt)
    assert (kept.runner_state, kept.runner_session_id, kept.status) == ({"b": 2}, "s1", Status.NEEDS_INPUT)


def test_a_batch_that_cannot_be_stored_leaves_neither_events_nor_offset(board: Board) -> None:
    attempt = board.running()
    before = said(attempt.task)
    with pytest.raises(TypeError):
        attempts.record([progress(attempt, log_offset=9, drafts=[LINE, Draft(Kind.STDOUT, "x", {"a": {1}})])])
    assert (said(attempt.task), attempts.reload(attempt).log_offset) == (before, 0)


def test_a_tasks_ledger_is_the_sum_over_its_attempts(board: Board) -> None:
    task = board.new()
    for millis in (10, 20):
        attempt = board.running(task)
        attempts.record([progress(attempt, cost={"input_tokens": 1, "tool_calls": 2})])
        attempts.record([progress(attempt, cost={"input_tokens": 5, "tool_calls": 3})])
        attempts.finish(attempt, Ending(Status.COMPLETED, runtime_millis=millis))
    found = tasks.get(task.id).ledger
    assert [found[key] for key in ("input_tokens", "tool_calls", "runtime_millis")] == [10, 6, 30]


@pytest.mark.parametrize("change", ["release", "status", "session", "cost", "place"])
def test_a_change_that_a_client_sees_moves_the_tasks_time(board: Board, change: str) -> None:
    attempt = board.running()
    with transaction():
        Task.update(updated_at=0).execute()
    if change == "release":
        attempts.release(attempt, "later")
    elif change == "place":
        attempts.place(attempt, [], branch="b")
    else:
        told = {
            "status": {"status": Status.NEEDS_INPUT},
            "session": {"session_id": "s"},
            "cost": {"cost": {}},
        }
        attempts.record([progress(attempt, **told[change])])
    assert (now() - Task.get().updated_at).total_seconds() < 60


def test_a_question_is_asked_once_and_taken_back(board: Board) -> None:
    attempt = board.running()
    for _ in range(2):
        attempts.record([progress(attempt, questions=[(QUESTION, None)])])
    assert (approval_of(attempt.task).status, Approval.select().count()) == ("pending", 1)
    attempts.record([progress(attempt, withdrawn=["r1", "unknown"])])
    assert approval_of(attempt.task).status == "cancelled"


def test_a_rules_own_answer_is_delivered_like_a_persons(board: Board) -> None:
    attempt = board.running()
    attempts.record([progress(attempt, questions=[(QUESTION, Verdict("deny", "tool_rules: Bash", "no"))])])
    row = approval_of(attempt.task)
    assert (row.status, row.rule, row.note, row.decided_by) == ("denied", "tool_rules: Bash", "no", "policy")
    assert [(one.kind, one.body) for one in commands_of(attempt.task)] == [("decide", {"approval": row.id})]


# The start's last step


def test_the_shim_is_recorded_before_the_agent_may_start(board: Board) -> None:
    attempt = board.running()
    assert attempts.commit_start(attempt, {"pid": 7}, [LINE], session_id="s", report={"network": "enforced"})
    found, task = attempts.reload(attempt), tasks.get(attempt.task.id)
    assert (found.identity, found.runner_session_id) == ({"pid": 7}, "s")
    assert (task.policy_report, task.runner_session_id) == ({"network": "enforced"}, "s")


def test_a_stop_that_came_first_prevents_the_start(board: Board) -> None:
    attempt = board.running()
    stop = tasks.request_stop(attempt.task)
    assert stop is not None
    assert not attempts.commit_start(attempt, {"pid": 7}, [LINE], session_id=None, report={})
    assert attempts.stopped_before_start(attempt)
    task = tasks.get(attempt.task.id)
    assert (task.status, task.stop_reason, task.live_attempt) == (Status.STOPPED, "user", None)
    assert (attempts.reload(attempt).identity, Command.get_by_id(stop.id).state) == (None, State.APPLIED)
    assert timeline.latest(task, 1)[0].metadata["category"] == "attempt-stopped"


# The end


@pytest.mark.parametrize("status", sorted(ENDED))
def test_an_end_closes_everything_of_the_attempt(board: Board, status: Status) -> None:
    attempt = board.running()
    attempts.record([progress(attempt, questions=[(QUESTION, None)])])
    stop = tasks.request_stop(attempt.task)
    interrupt = tasks.request_steering(attempt.task, CommandKind.INTERRUPT)
    reply = tasks.request_reply(attempt.task, "x", None)
    ending = Ending(status, "exit status: 3", 3, None, "user", None, "done", 5, [LINE])
    assert attempts.finish(attempt, ending)
    assert not attempts.finish(attempt, ending)
    found, task = attempts.reload(attempt), tasks.get(attempt.task.id)
    assert (found.status, found.exit_code, found.exit_status, found.summary) == (
        status,
        3,
        "exit status: 3",
        "done",
    )
    assert (task.status, task.stop_reason, task.live_attempt) == (status, "user", None)
    assert stop is not None
    states = [Command.get_by_id(one.id).state for one in (stop, interrupt, reply)]
    assert states == [State.APPLIED, State.EXPIRED, State.EXPIRED]
    assert approval_of(task).status == "cancelled"
    assert said(task).count(("stdout", "a line")) == 1


@pytest.mark.parametrize("status", sorted(ENDED))
def test_replies_an_agent_never_took_are_set_aside_unless_a_person_stopped_it(
    board: Board, status: Status
) -> None:
    attempt = board.running(board.agent())
    reply = tasks.request_reply(attempt.task, "and this", None)
    commands.take(reply.id, WORKER)
    attempts.finish(attempt, Ending(status))
    found = Command.get_by_id(reply.id)
    if status is Status.STOPPED:
        assert found.state == State.EXPIRED
    else:
        assert (found.state, found.attempt, found.worker, found.finished_at) == (
            State.ACCEPTED,
            None,
            None,
            None,
        )


def test_an_end_leaves_the_events_of_other_tasks_alone(board: Board) -> None:
    one, other = board.running(), board.running()
    reply = tasks.request_reply(other.task, "x", None)
    attempts.finish(one, Ending(Status.COMPLETED))
    assert Command.get_by_id(reply.id).state == State.ACCEPTED
    assert tasks.get(other.task.id).status is Status.RUNNING
    assert {event.attempt for event in Event.select().where(Event.task == other.task_id)} == {None}
