"""The events table: gapless places, what a message may hold, pages of it, and what it costs."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import attempts, commands, tasks, timeline
from shared.errors import NotFound
from shared.events import MESSAGE_BYTES, Draft, Kind
from shared.store.database import raw, transaction
from shared.store.models import Event, Task, json_text
from tests.unit.shared.played import WORKER, Board, seqs

LINE = Draft(Kind.STDOUT, "line")


def append(task: Task, *drafts: Draft) -> int:
    with transaction():
        return timeline.append(task.number, drafts)


def test_places_are_gapless_per_task_and_positions_over_all(board: Board) -> None:
    one, two = board.new(), board.new()
    assert append(one, LINE, LINE) == 3
    assert append(two, LINE) == 2
    assert append(one, LINE) == 4
    assert append(one) == 0
    assert seqs(one) == [1, 2, 3, 4]
    assert seqs(two) == [1, 2]
    assert [event.position for event in timeline.since(0)] == list(range(1, 7))
    assert (timeline.newest_position(), timeline.since(6)) == (6, [])
    assert [event.position for event in timeline.since(2, limit=2)] == [3, 4]
    assert tasks.get(one.id).last_seq == 4


def test_a_rolled_back_batch_leaves_no_gap(board: Board) -> None:
    task = board.new()
    with pytest.raises(ZeroDivisionError), transaction():
        timeline.append(task.number, [LINE])
        raise ZeroDivisionError
    append(task, LINE)
    assert seqs(task) == [1, 2]


def test_a_position_is_never_given_twice_so_that_a_tailer_misses_nothing(board: Board) -> None:
    kept, deleted = board.new(), board.new()
    append(deleted, *[LINE] * 5)
    before = timeline.newest_position()
    with transaction():
        Task.delete().where(Task.number == deleted.number).execute()
    append(kept, LINE)
    assert [event.task_id for event in timeline.since(before)] == [kept.number]


def test_a_deleted_task_takes_no_more_events(board: Board) -> None:
    task = board.new()
    with transaction():
        Task.delete().where(Task.number == task.number).execute()
    with pytest.raises(NotFound):
        append(task, LINE)


@pytest.mark.parametrize(
    ("message", "stored"),
    [
        ("", ""),
        ("a\0b\ttab", "a\0b\ttab"),
        ("é 漢 🙂", "é 漢 🙂"),
        ("half \ud83d", "half ?"),
        ("x" * MESSAGE_BYTES, "x" * MESSAGE_BYTES),
        ("x" * (MESSAGE_BYTES + 1), "x" * MESSAGE_BYTES + "…"),
        ("漢" * MESSAGE_BYTES, "漢" * (MESSAGE_BYTES // 3) + "…"),
    ],
    ids=["empty", "control", "unicode", "surrogate", "full", "over", "over in characters of three bytes"],
)
def test_a_message_is_kept_as_valid_text_within_its_cap(board: Board, message: str, stored: str) -> None:
    task = board.new()
    append(task, Draft(Kind.STDOUT, message))
    assert timeline.latest(task_now(task), 1)[0].message == stored


def task_now(task: Task) -> Task:
    return tasks.get(task.id)


def test_metadata_that_json_or_sqlite_cannot_hold_never_spoils_a_timeline(board: Board) -> None:
    task = board.new()
    append(task, Draft(Kind.STDOUT, "x", {"category": "a", "n": math.nan, "t": "\ud800", "l": [math.inf]}))
    found = timeline.page(task, category="a")[0]
    assert found.metadata == {"category": "a", "n": None, "t": "?", "l": [None]}


def test_metadata_changed_after_it_was_stored_is_stored_as_it_then_is(board: Board) -> None:
    task = board.new()
    shared = {"category": "a"}
    append(task, Draft(Kind.STDOUT, "1", shared), Draft(Kind.STDOUT, "2", shared))
    shared["category"] = "b"
    append(task, Draft(Kind.STDOUT, "3", shared), Draft(Kind.STDOUT, "4"))
    assert [event.metadata for event in timeline.page(task)][1:] == [
        {"category": "a"},
        {"category": "a"},
        {"category": "b"},
        None,
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
@settings(max_examples=50, deadline=None)
def test_any_json_becomes_storable_text(value: object) -> None:
    text = json_text(value)
    text.encode()
    json.loads(text, parse_constant=lambda name: pytest.fail(name))


# Pages


@pytest.fixture
def ten(board: Board) -> Task:
    task = board.new()
    append(
        task,
        *[
            Draft((Kind.STDOUT, Kind.STDERR)[n % 2], f"Line {n} Ärger 100%", {"category": f"c{n % 3}"})
            for n in range(2, 11)
        ],
    )
    return tasks.get(task.id)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, range(1, 11)),
        ({"limit": 3}, [1, 2, 3]),
        ({"after": 8}, [9, 10]),
        ({"after": 10}, []),
        ({"before": 4}, [1, 2, 3]),
        ({"before": 11, "limit": 2}, [9, 10]),
        ({"after": 2, "before": 9, "limit": 3}, [6, 7, 8]),
        ({"before": 0}, []),
        ({"kind": "stderr"}, [3, 5, 7, 9]),
        ({"category": "c0", "limit": 2}, [3, 6]),
        ({"category": "c0", "before": 9}, [3, 6]),
        ({"text": "line 7"}, [7]),
        ({"text": "Ärger", "limit": 1}, [2]),
        ({"text": "100%"}, range(2, 11)),
        ({"text": "_"}, []),
        ({"text": "LINE 1", "kind": "stdout"}, [10]),
    ],
)
def test_a_page_ascends_and_is_cut_where_it_was_asked(
    ten: Task, wanted: dict[str, object], found: list[int]
) -> None:
    assert [event.seq for event in timeline.page(ten, **wanted)] == list(found)  # type: ignore[arg-type]


@pytest.mark.parametrize(("limit", "first"), [(1, 10), (3, 8), (100, 1)])
def test_the_latest_events_ascend_too(ten: Task, limit: int, first: int) -> None:
    assert [event.seq for event in timeline.latest(ten, limit)] == list(range(first, 11))


# Cost


def cpu(work: Callable[[], object], times: int = 5) -> float:
    """The least CPU seconds of a few runs: what other processes do does not count."""
    taken = []
    for _ in range(times):
        begun = time.thread_time()
        work()
        taken.append(time.thread_time() - begun)
    return min(taken)


def fill(task: Task, count: int) -> None:
    with transaction():
        raw().execute(
            "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i <= ?) INSERT INTO event"
            " (task, seq, kind, message, metadata, created_at) SELECT ?, i, 'stdout', 'x', '{}', 0 FROM n",
            (count, task.number),
        )
        Task.update(last_seq=count + 1).where(Task.number == task.number).execute()


def test_a_long_timeline_costs_no_more_to_extend_and_read_than_a_short_one(board: Board) -> None:
    short, long = board.new(), board.new()
    fill(short, 500)
    fill(long, 100_000)
    batch = [LINE] * 500
    for verb in (
        lambda task: append(task, *batch),
        lambda task: timeline.latest(task_now(task), 100),
        lambda task: timeline.page(task, after=10, limit=100),
        lambda task: tasks.get(task.id),
    ):
        assert cpu(lambda: verb(long)) < 3 * cpu(lambda: verb(short)) + 0.002  # noqa: B023


def queue(board: Board, count: int) -> None:
    task = board.new()
    with transaction():
        raw().execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT INTO attempt"
            " (id, task, attempt_number, runner, status, queued_at) SELECT 'a' || i, ?, i, 'shell', 'queued', i FROM n",
            (count, task.number),
        )
        raw().execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT INTO command"
            " (id, task, attempt, kind, state, accepted_at, rung_at, finished_at)"
            " SELECT 'c' || i, ?, 'a' || i, 'reply', 'applied', 0, 0, 1 FROM n",
            (count, task.number),
        )


@pytest.mark.parametrize("verb", ["claim", "full", "waiting"])
def test_ten_thousand_in_the_queue_cost_no_more_than_ten(board: Board, verb: str) -> None:
    verbs: dict[str, Callable[[], object]] = {
        "claim": lambda: attempts.claim_next(WORKER, 100_000),
        "full": lambda: attempts.claim_next(WORKER, 0),
        "waiting": lambda: (commands.waiting_for(["a1", "a2"]), commands.ring_again()),
    }
    queue(board, 10)
    few = cpu(verbs[verb])
    with transaction():
        Task.delete().execute()
    queue(board, 10_000)
    assert cpu(verbs[verb]) < 3 * few + 0.002
    assert Event.select().count() == 1


HOT = {
    "SELECT * FROM event WHERE task = 1 AND seq > 5 ORDER BY seq LIMIT 9": "event",
    "SELECT * FROM event WHERE task = 1 AND seq < 5 ORDER BY seq DESC LIMIT 9": "event",
    "SELECT * FROM event WHERE position > 7 ORDER BY position LIMIT 9": "event",
    "SELECT * FROM command WHERE attempt = 'a' AND kind = 'stop' AND finished_at IS NULL": "command",
    "SELECT * FROM command WHERE state = 'accepted' AND rung_at < 5": "command",
    "SELECT * FROM command WHERE task = 1 AND finished_at IS NULL ORDER BY rowid DESC": "command",
    "SELECT * FROM attempt WHERE status IN ('running', 'needs-input') AND finished_at IS NULL": "attempt",
    "SELECT * FROM attempt WHERE task = 1 ORDER BY attempt_number": "attempt",
    "SELECT * FROM approval WHERE attempt = 'a' AND status = 'pending'": "approval",
    "SELECT * FROM approval WHERE task = 1": "approval",
    "SELECT * FROM capture WHERE task = 1 ORDER BY rowid DESC LIMIT 1": "capture",
    "SELECT * FROM landing WHERE task = 1 ORDER BY rowid DESC LIMIT 1": "landing",
    "SELECT * FROM task ORDER BY updated_at DESC, number DESC LIMIT 9": "task",
    "DELETE FROM task WHERE number = 1": "task",
}


@pytest.mark.parametrize("query", HOT)
def test_a_hot_query_uses_an_index_and_sorts_nothing(board: Board, query: str) -> None:
    plan = [row[3] for row in raw().execute(f"EXPLAIN QUERY PLAN {query}")]
    assert not [step for step in plan if step == f"SCAN {HOT[query]}" or "TEMP B-TREE" in step], plan
