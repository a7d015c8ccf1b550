"""One winner, whatever comes together: many processes at the same rows of one store."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from shared import attempts, commands, creation, tasks, timeline
from shared.approvals import Question
from shared.attempts import Ending, Progress
from shared.commands import State
from shared.config import Config
from shared.lifecycle import ENDED, Status
from shared.store.database import open_store
from shared.store.models import Approval, Attempt, Command, Task
from tests.integration.store.conftest import Start
from tests.waiting import wait_until

PROCESSES = 8


@pytest.fixture(autouse=True)
def store(config: Config) -> None:
    open_store(config)


@pytest.fixture
def new(tmp_path: Path) -> Task:
    return make(tmp_path)


def make(home: Path) -> Task:
    return creation.create(creation.NewTask("t", "", "shell", command="true"), home)


def together(start: Start, calls: list[tuple[str, ...]]) -> list[str]:
    """What each call answers, all begun at the same moment in a process of its own."""
    program = start("together", json.dumps(calls))
    answers: list[str] = json.loads(program.communicate(timeout=60)[0])
    assert program.returncode == 0
    assert len(answers) == len(calls)
    return answers


def live(task: Task) -> Attempt:
    found = Attempt.get_or_none(Attempt.id == tasks.get(task.id).live_attempt)
    assert found is not None
    return found


def test_fifty_starts_together_make_one_attempt(start: Start, new: Task) -> None:
    answers = together(start, [("start", new.id)] * 50)
    assert answers.count("conflict") == 49
    assert set(answers) - {"conflict"} == {live(new).id}
    assert Attempt.select().count() == 1


def test_places_in_the_timeline_are_gapless_under_eight_writers(
    start: Start, new: Task, tmp_path: Path
) -> None:
    other = make(tmp_path)
    each = 40
    together(start, [("append", (new, other)[n % 2].id, str(each)) for n in range(PROCESSES)])
    for task in (new, other):
        expected = 1 + each * 3 * PROCESSES // 2
        events = timeline.page(tasks.get(task.id), limit=10_000)
        assert [event.seq for event in events] == list(range(1, expected + 1))
        assert tasks.get(task.id).last_seq == expected
        written = [event.message for event in events[1:]]
        assert all(written[i] == written[i + 1] == written[i + 2] for i in range(0, len(written), 3))


def test_each_queued_attempt_is_claimed_by_one_of_eight_workers(start: Start, tmp_path: Path) -> None:
    wanted = [tasks.request_start(make(tmp_path)).id for _ in range(60)]
    answers = together(start, [("claim", "60")] * PROCESSES)
    claimed = [id for answer in answers for id in answer.split()]
    assert sorted(claimed) == sorted(wanted)
    assert {(one.epoch, one.claims) for one in Attempt.select()} == {(1, 1)}


def test_twenty_decisions_have_one_winner(start: Start, new: Task) -> None:
    tasks.request_start(new)
    attempt = attempts.claim_next("w", 8)
    assert attempt is not None
    question = Question("r", "Bash", "Run make")
    attempts.record([Progress(attempt.id, attempt.task_id, attempt.epoch, 0, questions=[(question, None)])])
    row = Approval.get()
    answers = together(start, [("decide", new.id, row.id, ("allow", "deny")[n % 2]) for n in range(20)])
    assert answers.count("late") == 19
    assert {Approval.get().status} == set(answers) - {"late"}
    assert Command.select().count() == 1


@pytest.mark.parametrize("round", range(4))
def test_a_stop_beside_a_start_prevents_it_or_reaches_it(start: Start, new: Task, round: int) -> None:
    tasks.request_start(new)
    stop, claim = together(start, [("stop_or_claim", new.id, what) for what in ("stop", "claim")])
    assert (stop, claim) in {("stopped", "none"), ("commanded", "prevented"), ("commanded", "started")}
    if stop == "stopped":
        assert tasks.get(new.id).status is Status.STOPPED
    else:
        assert [one.state for one in Command.select()] == [State.ACCEPTED]
        assert commands.waiting_for([live(new).id]) == list(Command.select())


@pytest.mark.parametrize("round", range(4))
def test_a_stop_beside_an_end_is_applied_or_too_late(start: Start, new: Task, round: int) -> None:
    tasks.request_start(new)
    assert attempts.claim_next("w", 8)
    calls = [("stop_or_finish", new.id, what) for what in ("stop", "finish")]
    stop, finish = together(start, calls)
    assert (stop, finish) in {("commanded", "True"), ("conflict", "True")}
    assert tasks.get(new.id).status is Status.COMPLETED
    assert [one.state for one in Command.select()] == ([State.APPLIED] if stop == "commanded" else [])


def test_what_killed_workers_leave_is_whole_and_taken_up_by_the_next(start: Start, tmp_path: Path) -> None:
    for _ in range(200):
        tasks.request_start(make(tmp_path))
    workers = [start("claim_forever") for _ in range(3)]
    ended = Attempt.select().where(Attempt.finished_at.is_null(False))
    for number, worker in enumerate(workers, 1):
        wait_until(lambda: ended.count() >= number * 10, what="attempts to end", timeout=30)  # noqa: B023
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    for row in Task.select():
        attempt = Attempt.get(Attempt.task == row.number)
        assert row.status is attempt.status
        assert (row.live_attempt is None) == (row.status in ENDED)
        seqs = [event.seq for event in timeline.page(row, limit=100)]
        assert seqs == list(range(1, row.last_seq + 1))
        assert len(seqs) in ({8} if row.status in ENDED else {2, 7})
    left = attempts.claimed()
    assert len(left) <= 3
    for attempt in left:
        taken = attempts.adopt(attempt, "w")
        assert taken is not None
        assert attempts.finish(taken, Ending(Status.FAILED))
    assert attempts.claimed() == []
    assert attempts.claim_next("w", 1000) is not None
