"""Captures, landings and the work asked of a repository."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared import commands, tasks
from shared.clock import now
from shared.commands import CommandKind, State
from shared.errors import Conflict
from shared.lifecycle import Status
from shared.review import landings
from shared.review.landings import CaptureRecord
from shared.store.models import Capture, Command, Task
from tests.unit.shared.played import WORKER, Board, said

FILES = [{"path": "a.txt"}]


def record(tree: str = "t1", files: list[dict[str, str]] | None = None) -> CaptureRecord:
    return CaptureRecord(
        "base", "head", tree, "1 file", FILES if files is None else files, b"\xff\0", False, [], "f"
    )


@pytest.fixture
def task(board: Board) -> Task:
    found = board.ended(Status.READY_FOR_REVIEW)
    Task.update(worktree_path="/w").where(Task.number == found.number).execute()
    return tasks.get(found.id)


def test_a_capture_is_kept_byte_for_byte_and_the_same_tree_only_once(task: Task) -> None:
    assert landings.latest_capture(task) is None
    first = landings.keep_capture(task, record(), "attempt-1")
    assert landings.keep_capture(task, record()) == first
    found = landings.latest_capture(task)
    assert found is not None
    assert (bytes(found.patch), found.files, found.attempt) == (b"\xff\0", FILES, "attempt-1")
    assert tasks.get(task.id).diff_stat == "1 file"
    Task.update(updated_at=0).execute()
    landings.keep_capture(task, record("t2", []))
    assert (now() - tasks.get(task.id).updated_at).total_seconds() < 60  # the live stream goes by it
    assert tasks.get(task.id).diff_stat == ""
    assert Capture.select().count() == 2


def test_the_latest_is_what_came_last_whatever_the_clock_says(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        monkeypatch.setattr(landings, "now", lambda n=number: now() - timedelta(days=n))
        kept = landings.keep_capture(task, record(f"t{number}"))
        begun = landings.begin_landing(task, kept, "squash", "main", f"intent {number}")
        assert landings.unfinished_landing(task) == begun
        landings.end_landing(begun, "landed", commit_oid=f"c{number}")
    last, landed = landings.latest_capture(task), landings.last_landing(task)
    assert last is not None
    assert landed is not None
    assert (last.tree_oid, landed.commit_oid, landed.capture) == ("t2", "c2", last.id)
    assert landings.unfinished_landing(task) is None


def test_a_refused_landing_is_no_landing(task: Task) -> None:
    begun = landings.begin_landing(task, landings.keep_capture(task, record()), "squash", None, "{}")
    landings.end_landing(begun, "refused")
    assert landings.last_landing(task) is None
    assert landings.unfinished_landing(task) is None


def test_a_merged_task_is_completed_and_a_cleaned_one_keeps_its_state(task: Task) -> None:
    landings.cleaned(task, "Removed the worktree")
    assert tasks.get(task.id).status is Status.READY_FOR_REVIEW
    landings.merged(task, "Merged into branch main")
    found = tasks.get(task.id)
    assert found.status is Status.COMPLETED
    assert None not in (found.worktree_merged_at, found.worktree_cleaned_at)
    assert [message for _, message in said(task)][-2:] == ["Removed the worktree", "Merged into branch main"]


def test_a_landing_never_ends_an_attempt_that_lives(board: Board, task: Task) -> None:
    board.running(task)
    landings.merged(task, "Merged")
    found = tasks.get(task.id)
    assert (found.status, found.worktree_merged_at is not None) == (Status.RUNNING, True)


@pytest.mark.parametrize("kind", sorted(commands.EXCLUSIVE))
def test_what_lives_is_neither_merged_nor_cleaned(board: Board, task: Task, kind: CommandKind) -> None:
    board.queued(task)
    with pytest.raises(Conflict, match="once it has ended"):
        landings.request_work(task, kind)
    assert landings.request_work(task, CommandKind.CAPTURE)


def test_there_must_be_something_to_merge(board: Board, task: Task) -> None:
    with pytest.raises(Conflict, match="no worktree"):
        landings.request_work(board.new(), CommandKind.MERGE)
    landings.merged(task, "Merged")
    with pytest.raises(Conflict, match="already merged"):
        landings.request_work(task, CommandKind.MERGE)
    assert landings.request_work(task, CommandKind.CLEANUP)


@pytest.mark.parametrize("kind", [CommandKind.MERGE, CommandKind.CLEANUP, CommandKind.CAPTURE])
def test_the_same_work_asked_again_is_one_command(task: Task, kind: CommandKind) -> None:
    first = landings.request_work(task, kind, {"a": 1})
    assert landings.request_work(task, kind, {"a": 1}) == first
    commands.take(first.id, WORKER)
    again = landings.request_work(task, kind, {"a": 1})
    #: A capture that has begun may have missed what was changed since.
    assert (again == first) == (kind in commands.EXCLUSIVE)
    commands.finish(first.id, State.REFUSED)
    assert landings.request_work(task, kind, {"a": 1}) != first


@pytest.mark.parametrize("first", sorted(commands.EXCLUSIVE))
@pytest.mark.parametrize("second", sorted(commands.EXCLUSIVE))
def test_one_merge_or_cleanup_at_a_time(task: Task, first: CommandKind, second: CommandKind) -> None:
    under_way = landings.request_work(task, first, {"a": 1})
    with pytest.raises(Conflict, match=f"{first} .* under way"):
        landings.request_work(task, second, {"a": 2})
    assert list(Command.select()) == [under_way]
    assert landings.request_work(task, CommandKind.PREVIEW).kind == "preview"
