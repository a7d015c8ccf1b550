"""A mark holds for the version of a file that was seen, in whichever capture it is."""

from __future__ import annotations

from typing import Any

import pytest

from shared.errors import NotFound
from shared.lifecycle import Status
from shared.review import marks
from shared.review.marks import Standing
from shared.store.models import Task
from tests.unit.shared.conftest import Board


@pytest.fixture
def task(board: Board) -> Task:
    return board.ended(Status.READY_FOR_REVIEW)


def file(path: str = "a.txt", **more: Any) -> dict[str, Any]:
    versions = {"old_blob": "1" * 40, "new_blob": "2" * 40, "old_mode": "100644", "new_mode": "100644"}
    return {"path": path, "old_path": None, **versions, **more}


def standing(task: Task, given: dict[str, Any]) -> Standing:
    return marks.of(task, [given]).of(given).standing


def test_a_viewed_file_is_open_again_only_when_it_changed_again(task: Task) -> None:
    assert standing(task, file()) is Standing.OPEN
    marks.mark(task, file(), "owner")
    assert standing(task, file()) is Standing.VIEWED
    assert standing(task, file("b.txt")) is Standing.OPEN
    for change in (
        {"new_blob": "3" * 40},
        {"old_blob": "3" * 40},
        {"new_mode": "100755"},
        {"new_blob": None},
    ):
        assert standing(task, file(**change)) is Standing.CHANGED, change
    assert standing(task, file()) is Standing.VIEWED
    marks.mark(task, file(new_blob="3" * 40), "owner")
    assert standing(task, file()) is Standing.CHANGED


def test_a_mark_says_who_and_when_and_can_be_taken_back(task: Task) -> None:
    marks.mark(task, file(), "owner")
    found = marks.of(task, [file(), file("b.txt")])
    assert (found.viewed, found.total, found.of(file()).viewed_by) == (1, 2, "owner")
    assert found.of(file()).viewed_at
    marks.reopen(task, file())
    assert marks.of(task, [file()]).viewed == 0


def test_names_that_are_no_text_are_marked_by_their_bytes(task: Task) -> None:
    one, two = (file("\N{REPLACEMENT CHARACTER}", path_b64=name) for name in ("/w==", "/g=="))
    marks.mark(task, one, "owner")
    assert (standing(task, one), standing(task, two)) == (Standing.VIEWED, Standing.OPEN)
    assert marks.named([two, one], "/w==") is one
    with pytest.raises(NotFound):
        marks.named([one], "a.txt")
