"""What the changes page says of work that outlasted its answer, and what the board lists as removed."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from shared import commands
from shared.clock import now
from shared.commands import CommandKind, State
from shared.lifecycle import Status
from shared.review import landings
from shared.store.database import transaction
from shared.store.models import Command, Task
from tests.unit.pages.conftest import Visitor
from tests.unit.web.conftest import Api, PlayedWorker


@pytest.fixture
def task(api: Api) -> Task:
    made = api.new()
    with transaction():
        Task.update(
            worktree_path="/w", status=Status.READY_FOR_REVIEW, diff_stat=" a | 1 +\n 1 file changed"
        ).execute()
    return Task.get(Task.id == made["id"])


def ended(task: Task, kind: CommandKind, result: dict[str, Any], *, refused: bool, after: int) -> None:
    command = landings.request_work(task, kind)
    commands.finish(command.id, State.REFUSED if refused else State.APPLIED, result)
    with transaction():
        Command.update(accepted_at=now() - timedelta(seconds=after)).where(Command.id == command.id).execute()


def test_a_merge_that_goes_on_is_said(visitor: Visitor, task: Task) -> None:
    page = f"/ui/tasks/{task.id}/changes"
    assert "goes on" not in visitor.get(page).text
    landings.request_work(task, CommandKind.MERGE)
    assert "The merge goes on" in visitor.get(page).text


@pytest.mark.parametrize(("after", "is_said"), [(60, True), (1, False)])
def test_a_refusal_nobody_waited_for_is_said(visitor: Visitor, task: Task, after: int, is_said: bool) -> None:
    ended(task, CommandKind.MERGE, {"detail": "The check <b> failed."}, refused=True, after=after)
    text = visitor.get(f"/ui/tasks/{task.id}/changes").text
    assert ("The merge was refused: The check &lt;b&gt; failed." in text) is is_said


def test_marked_conflicts_come_with_what_opens_their_files(visitor: Visitor, task: Task) -> None:
    result = {"conflicts": [{"path": "a b.txt", "why": "contents"}], "worktree_path": "/w"}
    ended(task, CommandKind.REBASE, result, refused=False, after=1)
    text = visitor.get(f"/ui/tasks/{task.id}/changes").text
    assert "cd /w &amp;&amp; ${EDITOR:-vi} &#39;a b.txt&#39;" in text


def test_a_rebase_that_went_through_is_said_until_something_newer_happens(
    visitor: Visitor, task: Task
) -> None:
    page = f"/ui/tasks/{task.id}/changes"
    ended(
        task,
        CommandKind.REBASE,
        {"message": "Rebased onto <main> at 12", "conflicts": []},
        refused=False,
        after=1,
    )
    assert "Rebased onto &lt;main&gt; at 12." in visitor.get(page).text
    ended(task, CommandKind.VERIFY, {}, refused=False, after=0)
    assert "Rebased onto" not in visitor.get(page).text


SEEN = {"conflicts": [], "blocking": [], "behind": 3, "clean": True, "files": ["a"], "target_branch": "main",
        "head_oid": "a" * 40, "target_oid": "b" * 40, "checks": []}  # fmt: skip
CONFLICTING = {**SEEN, "clean": False, "conflicts": [{"path": "a", "why": "contents", "hunks": []}]}


@pytest.mark.parametrize(
    ("seen", "offered"),
    [(SEEN, ["now"]), ({**SEEN, "behind": 0}, []), (CONFLICTING, ["mark"])],
)
def test_the_merge_offers_the_rebase_that_fits(
    visitor: Visitor, task: Task, worker: PlayedWorker, seen: dict[str, Any], offered: list[str]
) -> None:
    asked: list[dict[str, Any]] = []

    def answer(command: Command) -> tuple[str, dict[str, Any]]:
        if command.kind == CommandKind.PREVIEW:
            return "applied", seen
        asked.append(command.body)
        return "applied", {"message": "Rebased", "conflicts": []}

    worker.answer = answer
    path = f"/ui/tasks/{task.id}"
    shown = visitor.get(f"{path}/merge").text
    assert re.findall(r'name="how" value="(\w+)"', shown) == offered
    assert ("moved on by 3 commits" in shown) is bool(seen["behind"])
    for how in offered:
        sent = visitor.send(f"{path}/rebase", {"back": f"{path}/merge", "how": how, "target_branch": "main"})
        assert (sent.status_code, sent.headers["Location"]) == (303, f"{path}/changes")
    wanted = {"now": "refuse", "mark": "mark"}
    assert asked == [{"target_branch": "main", "conflicts": wanted[how]} for how in offered]
    assert visitor.send(f"{path}/rebase", {"back": f"{path}/merge", "how": "else"}).status_code == 400


def test_what_refuses_a_rebase_is_said_at_its_button(
    visitor: Visitor, task: Task, worker: PlayedWorker
) -> None:
    refusal = {"status": 409, "detail": "The work conflicts with main in <a>."}
    worker.answer = lambda command: (
        ("applied", SEEN) if command.kind == CommandKind.PREVIEW else ("refused", refusal)
    )
    path = f"/ui/tasks/{task.id}"
    answer = visitor.send(f"{path}/rebase", {"back": f"{path}/merge", "how": "now"})
    assert answer.status_code == 409
    assert "The work conflicts with main in &lt;a&gt;." in answer.text.partition(f'action="{path}/rebase"')[2]


def test_a_worktree_removed_with_unmerged_work_is_listed_for_thirty_days(
    visitor: Visitor, task: Task
) -> None:
    link = f"/ui/tasks/{task.id}/undo"
    for at, listed in (
        (None, False),
        (now() - timedelta(days=29), True),
        (now() - timedelta(days=31), False),
    ):
        with transaction():
            Task.update(worktree_cleaned_at=at).execute()
        assert (link in visitor.get("/?archived=1").text) is listed
