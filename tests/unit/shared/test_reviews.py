"""A mark holds for what was seen, a version of a file or a hunk, in whichever capture it is."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from shared.errors import NotFound
from shared.lifecycle import Status
from shared.review import landings, marking, marks
from shared.review.landings import CaptureRecord
from shared.review.marks import Mark, Standing
from shared.store.models import Capture, Task
from tests.unit.shared.conftest import Board

TREES = count()
BLOBS = {"old_blob": "1" * 40, "new_blob": "2" * 40, "old_mode": "100644", "new_mode": "100644"}


@pytest.fixture
def task(board: Board) -> Task:
    return board.ended(Status.READY_FOR_REVIEW)


def file(path: str = "a.txt", **more: Any) -> dict[str, Any]:
    return {"path": path, "old_path": None, **BLOBS, **more}


def captured(task: Task, *files: dict[str, Any], patch: str = "") -> Capture:
    record = CaptureRecord("b" * 40, "c" * 40, f"t{next(TREES)}", "", [*files], patch.encode(), False, [])
    return landings.keep_capture(task, record)


def mark_of(task: Task, given: dict[str, Any], capture: Capture | None = None) -> Mark:
    return marks.of(task, capture or captured(task, given)).of(given)


def standing(task: Task, given: dict[str, Any]) -> Standing:
    return mark_of(task, given).standing


def test_a_viewed_file_is_open_again_only_when_it_changed_again(task: Task) -> None:
    assert standing(task, file()) is Standing.OPEN
    marking.mark(task, captured(task, file()), file(), "owner")
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
    third = file(new_blob="3" * 40)
    marking.mark(task, captured(task, third), third, "owner")
    assert standing(task, file()) is Standing.CHANGED


def test_a_mark_says_who_and_when_and_can_be_taken_back(task: Task) -> None:
    both = captured(task, file(), file("b.txt"))
    marking.mark(task, both, file(), "owner")
    found = marks.of(task, both)
    assert (found.viewed, found.total, found.of(file()).viewed_by) == (1, 2, "owner")
    assert found.of(file()).viewed_at
    marking.reopen(task, file())
    assert marks.of(task, both).viewed == 0


def test_names_that_are_no_text_are_marked_by_their_bytes(task: Task) -> None:
    one, two = (file("\N{REPLACEMENT CHARACTER}", path_b64=name) for name in ("/w==", "/g=="))
    both = captured(task, one, two)
    marking.mark(task, both, one, "owner")
    assert [mark_of(task, name, both).standing for name in (one, two)] == [Standing.VIEWED, Standing.OPEN]
    assert marks.named([two, one], "/w==") is one
    with pytest.raises(NotFound):
        marks.named([one], "a.txt")


def lines(*hunks: str) -> str:
    """A patch of `a.txt` whose hunks are these lines, each at another place in every patch."""
    shift = next(TREES)
    found = "diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n"
    for number, hunk in enumerate(hunks):
        rows = [f" before {shift}", *hunk.split("|")]
        old, new = (sum(row[0] in kinds for row in rows) for kinds in (" -", " +"))
        start = 10 + 100 * number + shift
        found += f"@@ -{start},{old} +{start},{new} @@\n" + "".join(f"{row}\n" for row in rows)
    return found


ONE, TWO, THREE = "-one|+1", "+two", "-three"


def viewed(task: Task, capture: Capture) -> list[bool]:
    return [one.is_viewed for one in marks.of(task, capture).hunks(capture.files[0])]


def keys(task: Task, capture: Capture) -> list[str]:
    return [one.key for one in marks.of(task, capture).hunks(capture.files[0])]


def test_only_the_hunks_that_the_agent_changed_are_open_again(task: Task) -> None:
    first = captured(task, file(), patch=lines(ONE, TWO, THREE))
    marking.mark(task, first, file(), "owner")
    assert viewed(task, first) == [True, True, True]
    changed = file(new_blob="3" * 40)
    second = captured(task, changed, patch=lines(ONE, "+two and more", THREE))
    assert viewed(task, second) == [True, False, True]
    mark = mark_of(task, changed, second)
    assert (mark.standing, mark.hunks, mark.hunks_viewed) == (Standing.CHANGED, 3, 2)
    fourth = file(new_blob="4" * 40)
    assert mark_of(task, fourth, captured(task, fourth, patch=lines(THREE, ONE))).is_viewed
    assert not mark_of(task, fourth, captured(task, fourth, patch=lines(THREE + "|+", ONE))).is_viewed


def test_with_its_last_hunk_a_file_is_viewed_and_says_by_whom(task: Task) -> None:
    seen = captured(task, file(), patch=lines(ONE, TWO))
    first, second = keys(task, seen)
    marking.mark_hunk(task, seen, file(), second, "owner")
    mark = mark_of(task, file(), seen)
    assert (mark.standing, mark.hunks, mark.hunks_viewed) == (Standing.OPEN, 2, 1)
    assert [one.viewed_by for one in marks.of(task, seen).hunks(file())] == [None, "owner"]
    marking.mark_hunk(task, seen, file(), first, "other")
    mark = mark_of(task, file(), seen)
    assert (mark.standing, mark.viewed_by) == (Standing.VIEWED, "other")
    more = captured(task, file(new_blob="3" * 40), patch=lines(ONE, TWO, THREE))
    assert [one.viewed_by for one in marks.of(task, more).hunks(more.files[0])] == ["other", "owner", None]


def test_opening_one_hunk_leaves_the_others_viewed(task: Task) -> None:
    seen = captured(task, file(), patch=lines(ONE, TWO, THREE))
    marking.mark(task, seen, file(), "owner")
    marking.reopen_hunk(task, seen, file(), keys(task, seen)[1])
    assert viewed(task, seen) == [True, False, True]
    assert mark_of(task, file(), seen).standing is Standing.OPEN
    marking.reopen(task, file())
    assert viewed(task, seen) == [False, False, False]
    for act in (marking.mark_hunk, lambda *given: marking.reopen_hunk(*given[:4])):
        with pytest.raises(NotFound):
            act(task, seen, file(), "0" * 32, "owner")


def test_equal_hunks_are_counted(task: Task) -> None:
    seen = captured(task, file(), patch=lines(ONE, ONE, TWO))
    assert len({*keys(task, seen)}) == 3
    marking.mark_hunk(task, seen, file(), keys(task, seen)[0], "owner")
    assert viewed(task, seen) == [True, False, False]
    assert keys(task, captured(task, file(), patch=lines(TWO, ONE)))[1] == keys(task, seen)[0]


def test_a_mode_that_changed_with_viewed_hunks_is_still_to_be_seen(task: Task) -> None:
    marking.mark(task, captured(task, file(), patch=lines(ONE)), file(), "owner")
    runnable = file(new_blob="3" * 40, new_mode="100755")
    seen = captured(task, runnable, patch=lines(ONE))
    assert (mark_of(task, runnable, seen).standing, viewed(task, seen)) == (Standing.CHANGED, [True])
    marking.mark_hunk(task, seen, runnable, keys(task, seen)[0], "owner")
    assert mark_of(task, runnable, seen).is_viewed


def test_a_file_without_lines_is_viewed_as_a_whole_only(task: Task) -> None:
    binary = file(binary=True)
    seen = captured(
        task, binary, patch="diff --git a/a.txt b/a.txt\nBinary files a/a.txt and b/a.txt differ\n"
    )
    assert keys(task, seen) == []
    marking.mark(task, seen, binary, "owner")
    again = file(binary=True, new_blob="3" * 40)
    assert standing(task, again) is Standing.CHANGED
    long = captured(task, file(), patch=lines(ONE, "|".join(f"+{n}" for n in range(5_000))))
    assert keys(task, long) == []
    marking.mark(task, long, file(), "owner")
    assert standing(task, file()) is Standing.VIEWED
