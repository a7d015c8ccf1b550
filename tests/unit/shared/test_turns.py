"""Turns of a task, which captures and patches are kept, and how many comparisons."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.lifecycle import Status
from shared.review import comparisons, keeping, landings, points, turns
from shared.review.comparisons import ComparisonRecord
from shared.review.landings import CaptureRecord
from shared.store import migrate
from shared.store.database import raw
from shared.store.models import Attempt, Capture, Comparison, Task, Turn
from tests.unit.shared.conftest import Board


def captured(task: Task, number: int, patch: bytes = b"x") -> Capture:
    tree = f"{number:040x}"
    return landings.keep_capture(task, CaptureRecord("b" * 40, tree, tree, "", [], patch, False, []))


def ends(task: Task) -> list[tuple[int, str | None, str | None, bool]]:
    return [(one.number, one.began_from, one.ended_with, one.ended_at is not None) for one in turns.of(task)]


def test_a_turn_begins_once_and_ends_the_one_before_it(board: Board) -> None:
    attempt = board.running()
    task = attempt.task
    for _ in range(2):
        turns.begin(attempt, attempt.id, None)
        turns.begin(attempt, "reply", "one")
    assert ends(task) == [(1, None, "one", True), (2, "one", None, False)]
    turns.end(attempt, "two")
    turns.end(attempt, "three")
    assert ends(task) == [(1, None, "one", True), (2, "one", "two", True)]


def test_a_reply_that_was_not_taken_is_no_turn_and_the_turn_before_goes_on(board: Board) -> None:
    attempt = board.running()
    turns.begin(attempt, attempt.id, None)
    turns.begin(attempt, "reply", "one")
    for _ in range(2):
        turns.withdraw("reply")
    assert ends(attempt.task) == [(1, None, None, False)]
    turns.begin(attempt, "again", "two")
    assert ends(attempt.task) == [(1, None, "two", True), (2, "two", None, False)]


def test_captures_that_nothing_refers_to_go_when_newer_ones_replace_them(board: Board) -> None:
    attempt = board.running()
    task = attempt.task
    first = captured(task, 1)
    turns.begin(attempt, attempt.id, first.id)
    landed = captured(task, 2)
    landings.begin_landing(task, landed, "squash", "main", "{}")
    others = [captured(task, number) for number in range(3, 12)]
    left = [row.id for row in Capture.select()]
    assert left == [first.id, landed.id, *(row.id for row in others[-keeping.KEPT_BESIDE :])]
    latest = landings.latest_capture(task)
    assert latest is not None
    assert latest.id == others[-1].id


def test_the_oldest_captures_lose_their_patch_when_all_together_are_too_large(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "PATCH_BYTES", 250)
    task, other = board.new(), board.new()
    captured(other, 9, b"y" * 100)
    for number in range(4):
        captured(task, number, b"y" * 100)
    rows = [
        (bytes(row.patch) != b"", row.patch_dropped) for row in Capture.select().where(Capture.task == task)
    ]
    assert rows == [(False, True), (False, True), (True, False), (True, False)]
    captured(task, 5, b"y" * 400)
    rows = [row.patch_dropped for row in Capture.select().where(Capture.task == task)]
    assert rows == [True] * 4 + [False]
    assert not Capture.get(Capture.task == other).patch_dropped


def test_a_tasks_comparisons_are_bounded_in_number_and_size(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparisons, "MOST_KEPT", 3)
    monkeypatch.setattr(comparisons, "KEPT_BYTES", 250)
    task = board.new()

    def kept(size: int) -> list[int]:
        captured(task, 100 + Comparison.select().count() + size)
        found = points.pair(task, "base", "latest")
        for _ in range(2):
            comparisons.keep(found, ComparisonRecord("o", "n", "", [], b"y" * size, False))
        return [len(row.patch) for row in Comparison.select()]

    assert kept(10) == [10]
    assert kept(11) == [10, 11]
    assert kept(12) == [10, 11, 12]
    assert kept(13) == [11, 12, 13]
    assert kept(240) == [240]
    assert kept(400) == [400]


def test_what_ran_before_turns_were_kept_counts_as_one_turn_an_attempt(board: Board) -> None:
    task = board.new()
    for number in range(2):
        board.running(task)
        captured(task, number)
        board_ended(task)
    captured(task, 2)
    Attempt.update(identity={}).execute()
    live = board.running(task)
    Attempt.update(identity={}).where(Attempt.id == live.id).execute()
    folder = Path(migrate.__file__).parent / "migrations"
    (migration,) = folder.glob("*_turns.sql")
    (backfill,) = [sql for sql in migrate._statements(migration.read_text()) if "INSERT INTO turn" in sql]
    raw().execute(backfill)
    one, two, three = (row.id for row in Capture.select())
    assert ends(task) == [(1, None, one, True), (2, one, two, True), (3, three, None, False)]
    assert [turn.attempt for turn in Turn.select()] == [row.id for row in Attempt.select()]


def board_ended(task: Task) -> None:
    from shared import attempts

    attempt = Attempt.get(Attempt.task == task.number, Attempt.finished_at.is_null())
    assert attempts.finish(attempt, attempts.Ending(Status.READY_FOR_REVIEW))
