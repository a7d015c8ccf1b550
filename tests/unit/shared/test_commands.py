"""Commands and approvals: accepted once, ended once, rung again when nobody heard, decided by one winner."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from shared import approvals, attempts, commands, doorbell, tasks
from shared.approvals import Question
from shared.attempts import Ending
from shared.clock import now
from shared.commands import CommandKind, State
from shared.doorbell import Bell, Ring
from shared.errors import Conflict, NotFound, WrongShape
from shared.lifecycle import Status
from shared.secrets.redaction import MASK
from shared.store.database import close, transaction
from shared.store.models import Approval, Attempt, Command, Task
from tests.unit.shared.played import WORKER, Board, approval_of, commands_of, progress, said
from tests.waiting import wait_until

ENDS = (State.APPLIED, State.IGNORED, State.EXPIRED, State.REFUSED, State.REDIRECTED)


def accept(task: Task, kind: CommandKind = CommandKind.CAPTURE, attempt: Attempt | None = None) -> Command:
    with transaction():
        return commands.accept(task, kind, {}, attempt)


def state(command: Command) -> str:
    return str(Command.get_by_id(command.id).state)


@pytest.fixture
def rings() -> list[Ring]:
    heard: list[Ring] = []
    doorbell.listen(heard.append)
    return heard


def test_a_command_is_taken_by_one_worker_and_ends_once(board: Board) -> None:
    command = accept(board.new())
    taken = commands.take(command.id, WORKER)
    assert taken is not None
    assert (taken.state, taken.worker) == (State.TAKEN, WORKER)
    assert commands.take(command.id, "worker-2") is None
    assert commands.finish(command.id, State.APPLIED, {"a": 1})
    for again in ENDS:
        assert not commands.finish(command.id, again, {"a": 2})
    found = Command.get_by_id(command.id)
    assert (found.state, found.result) == (State.APPLIED, {"a": 1})
    assert commands.take(command.id, WORKER) is None


@pytest.mark.parametrize("end", ENDS)
def test_a_command_may_end_without_having_been_taken(board: Board, end: State) -> None:
    task = board.new()
    command = accept(task)
    assert commands.pending(task) == command
    assert commands.finish(command.id, end)
    assert commands.pending(task) is None
    assert not commands.finish("unknown", end)


def test_a_dead_workers_commands_are_anybodys_again(board: Board) -> None:
    task = board.new()
    mine, other, done = accept(task), accept(task), accept(task)
    commands.take(mine.id, WORKER)
    commands.take(other.id, "worker-2")
    commands.take(done.id, WORKER)
    commands.finish(done.id, State.APPLIED)
    assert commands.release(WORKER) == 1
    assert [state(one) for one in (mine, other, done)] == [State.ACCEPTED, State.TAKEN, State.APPLIED]
    assert commands.take(mine.id, "worker-2") is not None


def test_a_worker_sees_its_attempts_commands_in_the_order_they_came(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt, other = board.running(), board.running()
    sent = []
    for number in range(3):
        monkeypatch.setattr(commands, "now", lambda n=number: now() - timedelta(days=n))
        sent.append(tasks.request_reply(attempt.task, str(number), None))
    accept(attempt.task, CommandKind.CAPTURE, attempt)
    tasks.request_reply(other.task, "x", None)
    assert commands.waiting_for([attempt.id]) == sent
    assert commands.waiting_for([]) == []
    assert commands.pending(attempt.task) == commands_of(attempt.task, CommandKind.CAPTURE)[0]


def test_steering_rings_its_worker_and_other_work_rings_everybody(board: Board, rings: list[Ring]) -> None:
    attempt = board.running()
    rings.clear()
    reply = tasks.request_reply(attempt.task, "x", None)
    work = accept(attempt.task)
    assert rings == [Ring(Bell.COMMAND, reply.id, WORKER), Ring(Bell.WORK, work.id, None)]


@pytest.mark.parametrize("rung", [-3, 3600 * 24])
def test_a_command_nobody_took_is_rung_again(board: Board, rings: list[Ring], rung: int) -> None:
    attempt = board.running()
    reply, fresh = tasks.request_reply(attempt.task, "x", None), accept(attempt.task)
    taken, ended = accept(attempt.task), accept(attempt.task)
    commands.take(taken.id, WORKER)
    commands.finish(ended.id, State.APPLIED)
    Command.update(rung_at=now() + timedelta(seconds=rung)).where(Command.id != fresh.id).execute()
    rings.clear()
    assert commands.ring_again() == 1
    assert rings == [Ring(Bell.COMMAND, reply.id)]
    assert commands.ring_again() == 0


def test_waiting_ends_with_the_command_or_with_the_time(board: Board) -> None:
    command = accept(board.new())
    assert commands.wait(command.id, 0.02).state == State.ACCEPTED
    found: list[Command] = []

    def wait() -> None:
        found.append(commands.wait(command.id, 10))
        close()

    waiting = threading.Thread(target=wait)
    waiting.start()
    commands.finish(command.id, State.REFUSED, {"detail": "no"})
    waiting.join()
    assert (found[0].state, found[0].result) == (State.REFUSED, {"detail": "no"})


def test_waiting_for_a_command_whose_task_is_deleted_says_so(board: Board) -> None:
    task = board.new()
    command = accept(task)
    with transaction():
        Task.delete().where(Task.number == task.number).execute()
    with pytest.raises(NotFound, match="deleted"):
        commands.wait(command.id, 10)


# The doorbell


def test_a_ring_is_heard_after_the_commit_and_not_at_all_after_a_rollback(
    board: Board, rings: list[Ring]
) -> None:
    with transaction():
        doorbell.ring(Bell.CHANGE, "a")
        with transaction():
            doorbell.ring(Bell.CHANGE, "b")
        assert rings == []
    assert [one.id for one in rings] == ["a", "b"]
    with pytest.raises(ZeroDivisionError), transaction():
        doorbell.ring(Bell.CHANGE, "c")
        raise ZeroDivisionError
    with transaction():
        doorbell.ring(Bell.CHANGE, "d")
    doorbell.ring(Bell.CHANGE, "e")
    assert [one.id for one in rings] == ["a", "b", "d", "e"]


def test_a_listener_that_fails_costs_neither_the_command_nor_the_other_listeners(
    board: Board, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[Ring] = []

    def broken(ring: Ring) -> None:
        raise RuntimeError("the bell is broken")

    doorbell.listen(broken)
    doorbell.listen(heard.append)
    attempt = board.queued()
    assert Ring(Bell.ATTEMPT, attempt.id) in heard
    assert "the doorbell failed for attempt" in caplog.text
    assert attempts.claim_next(WORKER, 8) == attempt


# Approvals

QUESTION = Question("r1", "Bash", "Run make", command="make", input={"command": "make"}, risk=("writes",))


@pytest.fixture
def asked(board: Board) -> Approval:
    attempt = board.running()
    attempts.record([progress(attempt, status=Status.NEEDS_INPUT, questions=[(QUESTION, None)])])
    return approval_of(attempt.task)


@pytest.mark.parametrize(("decision", "status"), [("allow", "allowed"), ("deny", "denied")])
def test_a_decision_is_stored_said_and_sent_once(asked: Approval, decision: str, status: str) -> None:
    task = asked.task
    edited = {"command": "make all"}
    row = approvals.decide(task, asked.id, decision, scope="task", note="ok", updated_input=edited)
    assert (row.status, row.scope, row.note, row.updated_input) == (status, "task", "ok", edited)
    assert (row.decided_by, row.decided_at is not None) == ("owner", True)
    for late in ("allow", "deny"):
        with pytest.raises(Conflict, match=status):
            approvals.decide(task, asked.id, late)
    assert [one.body for one in commands_of(task, CommandKind.DECIDE)] == [{"approval": asked.id}]
    assert ("input", f"{status.capitalize()} Bash with an edited input: ok") in said(task)
    approvals.delivered(asked.id)
    assert approvals.get(asked.id).delivered_at is not None
    assert approvals.pending_of(asked.attempt) == []


def test_a_request_that_expired_with_its_attempt_cannot_be_decided(asked: Approval) -> None:
    attempts.finish(Attempt.get_by_id(asked.attempt), Ending(Status.FAILED))
    with pytest.raises(Conflict, match="cancelled"):
        approvals.decide(asked.task, asked.id, "allow")
    assert commands_of(asked.task) == []


def test_what_is_no_decision_changes_nothing(board: Board, asked: Approval) -> None:
    with pytest.raises(NotFound):
        approvals.decide(board.new(), asked.id, "allow")
    with pytest.raises(NotFound):
        approvals.decide(asked.task, "unknown", "allow")
    with pytest.raises(WrongShape):
        approvals.decide(asked.task, asked.id, "perhaps")
    with pytest.raises(WrongShape, match="mask"):
        approvals.decide(asked.task, asked.id, "allow", updated_input={"a": [f"x{MASK}"]})
    assert approvals.pending_of(asked.attempt) == [asked]


def test_requests_are_listed_in_the_order_they_came(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = board.running()
    for number in range(3):
        monkeypatch.setattr(approvals, "now", lambda n=number: now() - timedelta(days=n))
        attempts.record([progress(attempt, questions=[(Question(str(number), "Bash", "x"), None)])])
    assert [row.request for row in approvals.of(attempt.task)] == ["0", "1", "2"]
    approvals.decide(attempt.task, approvals.of(attempt.task)[1].id, "deny")
    assert [row.request for row in approvals.of(attempt.task, "pending")] == ["0", "2"]


def test_twenty_clicks_on_a_decision_have_one_winner(asked: Approval) -> None:
    outcomes: list[str] = []
    begin = threading.Barrier(20)

    def click(decision: str) -> None:
        begin.wait()
        try:
            outcomes.append(approvals.decide(asked.task, asked.id, decision).status)
        except Conflict:
            outcomes.append("late")
        finally:
            close()

    clicks = [threading.Thread(target=click, args=(("allow", "deny")[n % 2],)) for n in range(20)]
    for one in clicks:
        one.start()
    wait_until(lambda: len(outcomes) == 20, what="every click to be answered")
    for one in clicks:
        one.join()
    assert outcomes.count("late") == 19
    assert {approvals.get(asked.id).status} == set(outcomes) - {"late"}
    assert len(commands_of(asked.task, CommandKind.DECIDE)) == 1
