"""Any order of what persons, workers and deaths do to tasks keeps the store's promises."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shared import approvals, attempts, commands, doorbell, tasks
from shared.approvals import Question
from shared.attempts import Ending
from shared.commands import CommandKind, State
from shared.config import from_env
from shared.errors import Refused
from shared.events import Draft, Kind
from shared.lifecycle import ENDED, LIVE, Status
from shared.review import landings
from shared.store.database import close, open_store, raw
from shared.store.models import Approval, Attempt, Command, Event, Task
from tests.unit.shared.played import Board, progress

WORKERS = ("w1", "w2", "w3")
LINE = Draft(Kind.STDOUT, "x")
PLACES = st.integers(0, 99)
ENDINGS = st.sampled_from(sorted(ENDED))


def none(query: str) -> bool:
    """Whether no row breaks a promise."""
    return raw().execute(query).fetchone() is None


class Tasks(RuleBasedStateMachine):
    """Workers hold attempts as they were when claimed; a dead worker's handles stay, and write on in vain."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="or-machine-"))
        open_store(from_env({}, data=self.folder / "data"))
        raw().execute("PRAGMA synchronous = off")
        self.board = Board(self.folder)
        self.held: list[Attempt] = []
        self.fenced: list[Attempt] = []
        self.stopped_first: set[str] = set()
        self.committed: set[str] = set()
        self.ends: dict[str, list[Any]] = {}

    def teardown(self) -> None:
        doorbell.forget()
        close()
        shutil.rmtree(self.folder)

    def task(self, place: int) -> Task:
        rows = list(Task.select().order_by(Task.number))
        return rows[place % len(rows)]

    def attempt(self, place: int) -> Attempt:
        return self.held[place % len(self.held)]

    def let_go(self, attempt: Attempt) -> None:
        self.held.remove(attempt)
        self.fenced.append(attempt)

    # A person

    @initialize(gated=st.booleans())
    def the_first_task(self, gated: bool) -> None:
        self.board.agent(policy={"require_approval": gated})

    @precondition(lambda self: Task.select().count() < 3)
    @rule(gated=st.booleans(), priority=st.integers(-1, 1))
    def create(self, gated: bool, priority: int) -> None:
        make = self.board.agent if gated else self.board.new
        make(policy={"require_approval": gated}, priority=priority)

    @rule(place=PLACES, resume=st.booleans())
    def start(self, place: int, resume: bool) -> None:
        with suppress(Refused):
            tasks.request_start(self.task(place), resume=resume)

    @rule(place=PLACES)
    def approve(self, place: int) -> None:
        with suppress(Refused):
            tasks.approve(self.task(place), None)

    @rule(place=PLACES)
    def stop(self, place: int) -> None:
        with suppress(Refused):
            command = tasks.request_stop(self.task(place))
            if command and command.attempt not in self.committed:
                self.stopped_first.add(command.attempt)

    @rule(place=PLACES)
    def reply(self, place: int) -> None:
        with suppress(Refused):
            tasks.request_reply(self.task(place), "more", None)

    @rule(place=PLACES, kind=st.sampled_from([CommandKind.INTERRUPT, CommandKind.CLOSE_INPUT]))
    def steer(self, place: int, kind: CommandKind) -> None:
        with suppress(Refused):
            tasks.request_steering(self.task(place), kind)

    @rule(place=PLACES, kind=st.sampled_from([CommandKind.MERGE, CommandKind.CLEANUP, CommandKind.CAPTURE]))
    def ask_for_work(self, place: int, kind: CommandKind) -> None:
        task = self.task(place)
        Task.update(worktree_path="/w").where(Task.number == task.number).execute()
        with suppress(Refused):
            landings.request_work(task, kind)

    @rule(place=PLACES, decision=st.sampled_from(["allow", "deny"]))
    def decide(self, place: int, decision: str) -> None:
        rows = list(Approval.select())
        if rows:
            row = rows[place % len(rows)]
            with suppress(Refused):
                approvals.decide(row.task, row.id, decision)

    # A worker

    @rule(worker=st.sampled_from(WORKERS), capacity=st.integers(1, 3))
    def claim(self, worker: str, capacity: int) -> None:
        running = Attempt.select().where(Attempt.status == Status.RUNNING).count()
        attempt = attempts.claim_next(worker, capacity)
        if attempt:
            assert running < capacity
            self.held.append(attempt)

    @precondition(lambda self: self.held)
    @rule(place=PLACES)
    def commit_start(self, place: int) -> None:
        attempt = self.attempt(place)
        if attempts.commit_start(attempt, {"pid": 1}, [LINE], session_id=None, report={}):
            assert attempt.id not in self.stopped_first
            self.committed.add(attempt.id)
        else:
            assert attempts.stopped_before_start(attempt)
            self.let_go(attempt)

    @precondition(lambda self: self.held)
    @rule(place=PLACES, status=st.sampled_from(sorted(LIVE)), lines=st.integers(0, 3), asks=st.booleans())
    def record(self, place: int, status: Status, lines: int, asks: bool) -> None:
        attempt = self.attempt(place)
        questions = [(Question(str(place % 3), "Bash", "x"), None)] if asks else []
        item = progress(attempt, log_offset=lines, status=status, drafts=[LINE] * lines, questions=questions)
        assert attempts.record([item]) == set()

    @precondition(lambda self: self.held)
    @rule(place=PLACES, status=ENDINGS)
    def finish(self, place: int, status: Status) -> None:
        attempt = self.attempt(place)
        assert attempts.finish(attempt, Ending(status, drafts=[LINE]))
        self.let_go(attempt)

    @precondition(lambda self: self.held)
    @rule(place=PLACES)
    def give_back(self, place: int) -> None:
        attempt = self.attempt(place)
        if attempt.id not in self.committed:
            assert attempts.release(attempt, "its worker failed")
            #: Until it is claimed again the epoch is the same: a worker that gave an attempt back writes no more.
            self.held.remove(attempt)

    @precondition(lambda self: self.held)
    @rule(place=PLACES, heir=st.sampled_from(WORKERS))
    def die(self, place: int, heir: str) -> None:
        attempt = self.attempt(place)
        commands.release(attempt.worker or "")
        taken = attempts.adopt(attempts.reload(attempt), heir)
        assert taken is not None
        self.let_go(attempt)
        self.held.append(taken)

    @precondition(lambda self: self.fenced)
    @rule(place=PLACES, status=ENDINGS)
    def write_on_though_dead(self, place: int, status: Status) -> None:
        attempt = self.fenced[place % len(self.fenced)]
        before = (Event.select().count(), Task.get_by_id(attempt.task_id).__data__)
        assert attempts.record([progress(attempt, status=Status.RUNNING, drafts=[LINE])]) == {attempt.id}
        for write in (
            attempts.finish(attempt, Ending(status, drafts=[LINE])),
            attempts.release(attempt, "x"),
            attempts.commit_start(attempt, {}, [LINE], session_id=None, report={}),
            attempts.place(attempt, [LINE], worktree_path="/elsewhere"),
        ):
            assert not write
        assert (Event.select().count(), Task.get_by_id(attempt.task_id).__data__) == before

    @rule(
        place=PLACES,
        worker=st.sampled_from(WORKERS),
        end=st.sampled_from([State.APPLIED, State.IGNORED, None]),
    )
    def carry_out(self, place: int, worker: str, end: State | None) -> None:
        rows = list(Command.select().where(Command.kind != CommandKind.STOP))
        if not rows:
            return
        command = rows[place % len(rows)]
        taken = commands.take(command.id, worker)
        if taken and command.kind == CommandKind.REPLY and command.attempt is None:
            with suppress(Refused):
                tasks.request_reply(command.task, "more", None)
            assert commands.finish(command.id, State.REDIRECTED)
        elif taken and end:
            if command.kind == CommandKind.MERGE:
                landings.merged(command.task, "Merged")
            assert commands.finish(command.id, end, {"by": worker})

    # The promises

    @invariant()
    def at_most_one_attempt_lives_and_its_task_says_the_same(self) -> None:
        for task in Task.select():
            unfinished = list(
                Attempt.select().where(Attempt.task == task.number, Attempt.finished_at.is_null())
            )
            assert [one.id for one in unfinished] == ([task.live_attempt] if task.live_attempt else [])
            if unfinished:
                assert task.status is unfinished[0].status
                assert task.status not in ENDED
            else:
                assert task.status is not Status.RUNNING
                assert task.status in ENDED or not task.live_attempt

    @invariant()
    def places_are_gapless(self) -> None:
        assert none(
            "SELECT 1 FROM task LEFT JOIN event ON event.task = task.number GROUP BY number"
            " HAVING count(*) != last_seq OR min(seq) != 1 OR max(seq) != last_seq"
        )

    @invariant()
    def nothing_lives_without_a_claim(self) -> None:
        for attempt in Attempt.select().where(Attempt.finished_at.is_null()):
            assert (attempt.worker is not None and attempt.epoch > 0) == (attempt.status in LIVE)
        assert {one.id for one in attempts.claimed()} == {one.id for one in self.held}

    @invariant()
    def every_command_ends_at_most_once_and_none_outlives_its_attempt(self) -> None:
        ended = raw().execute(  # that a delivered reply was answered is told later
            "SELECT id, state, json_remove(result, '$.answered'), finished_at FROM command"
            " WHERE finished_at IS NOT NULL"
        )
        for id, *end in ended:
            assert self.ends.setdefault(id, end) == end
        assert none("SELECT 1 FROM command WHERE (finished_at IS NULL) != (state IN ('accepted', 'taken'))")
        assert none(
            "SELECT 1 FROM command JOIN attempt ON attempt.id = command.attempt"
            " WHERE command.finished_at IS NULL AND attempt.finished_at IS NOT NULL"
        )

    @invariant()
    def nobody_is_asked_about_what_has_ended(self) -> None:
        assert none(
            "SELECT 1 FROM approval JOIN attempt ON attempt.id = approval.attempt"
            " WHERE approval.status = 'pending' AND attempt.finished_at IS NOT NULL"
        )

    @invariant()
    def no_attempt_lives_in_a_worktree_that_is_merged_or_removed(self) -> None:
        assert none(
            "SELECT 1 FROM task JOIN command ON command.task = task.number"
            " WHERE live_attempt IS NOT NULL AND kind IN ('merge', 'cleanup') AND finished_at IS NULL"
        )

    @invariant()
    def a_gate_was_opened_for_each_attempt(self) -> None:
        for attempt in Attempt.select():
            task = attempt.task
            if tasks.policy_of(task).require_approval:
                assert task.approved_attempt is not None
                assert task.approved_attempt >= attempt.attempt_number


class TasksAtLength(Tasks):
    """The same, many times longer."""


QUICK = settings(
    max_examples=15, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestTasks = Tasks.TestCase
TestTasks.settings = QUICK
TestTasksAtLength = pytest.mark.slow(pytest.mark.timeout(600)(TasksAtLength.TestCase))
TestTasksAtLength.settings = settings(QUICK, max_examples=100, stateful_step_count=60)
