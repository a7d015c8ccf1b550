"""What may be changed of a task and until when; and what an approval to start is bound to."""

from __future__ import annotations

import pytest

from shared import amending, policy, tasks, workspaces
from shared.errors import BadRequest, Conflict, NotReady, PolicyViolation, WrongShape
from shared.store.models import Attempt, AuditEntry, Task
from tests.unit.shared.played import Board, said

GATED = {"require_approval": True}


def test_title_labels_and_priority_change_at_any_time(board: Board) -> None:
    task = board.queued().task
    changed = amending.amend(task, title=" New ", labels=["a"], priority=7)
    assert (changed.title, changed.labels, changed.priority) == ("New", ["a"], 7)
    assert Attempt.get_by_id(changed.live_attempt).priority == 7
    assert (last().kind, last().detail) == ("change-task", {"labels": ["a"], "priority": 7, "title": "New"})
    with pytest.raises(BadRequest):
        amending.amend(task, title=" ")


def last() -> AuditEntry:
    return AuditEntry.select().order_by(AuditEntry.seq.desc()).first()


def test_a_policy_changes_until_the_first_start_and_never_after(board: Board) -> None:
    task = amending.amend(board.new(), preset="auto-review", policy_keys={"budget_cents": 5})
    assert (task.preset, tasks.policy_of(task).require_approval, tasks.policy_of(task).budget_cents) == (
        "custom",
        True,
        5,
    )
    task = amending.amend(task, policy_keys={"require_approval": False, "budget_cents": None})
    assert task.preset == "default"
    assert said(task)[-1] == ("input", "Policy changed to default")
    tasks.request_start(task)
    for change in ({"preset": "default"}, {"policy_keys": {"budget_cents": 9}}):
        with pytest.raises(Conflict, match="frozen"):
            amending.amend(task, **change)
    assert tasks.get(task.id).policy == task.policy


def test_a_change_its_command_would_not_be_allowed_under_is_refused(board: Board) -> None:
    task = board.new(command="curl localhost", preset="full-access")
    with pytest.raises(PolicyViolation):
        amending.amend(task, preset="default")
    with pytest.raises(WrongShape):
        amending.amend(task, preset="nothing")
    with pytest.raises(WrongShape):
        amending.amend(task, policy_keys={"home_paths": ["/"]})
    assert tasks.get(task.id).preset == "full-access"


def test_an_approval_holds_for_the_policy_that_was_looked_at(board: Board) -> None:
    task = board.new(policy=GATED)
    with pytest.raises(Conflict, match="another one"):
        tasks.approve(task, None, "0" * 64)
    tasks.approve(task, None, tasks.policy_of(task).digest())
    amending.amend(task, policy_keys={"allow_network": True})
    with pytest.raises(NotReady, match="approval"):
        tasks.request_start(task)
    tasks.approve(task, None)
    assert tasks.request_start(task)


@pytest.mark.parametrize("change", [{"command": "rm x"}, {"options": {"env": ["A"]}}, {"runner": "codex"}])
def test_an_approval_holds_for_what_would_run(board: Board, change: dict[str, object]) -> None:
    task = board.new(policy=GATED)
    tasks.approve(task, None)
    Task.update(change).execute()
    with pytest.raises(NotReady, match="approval"):
        tasks.request_start(task)


def test_rules_the_workspace_adds_after_an_approval_need_another_one(board: Board) -> None:
    task = board.new(policy=GATED)
    tasks.approve(task, None)
    row = workspaces.register(str(board.home), board.home)
    workspaces.change(row.id, {"tool_rules": [{"tool": "*", "action": "allow"}]})
    with pytest.raises(NotReady, match="approval"):
        tasks.request_start(task)
    tasks.approve(task, None)
    assert tasks.request_start(task).attempt_number == 1


def test_an_approval_is_for_one_attempt(board: Board) -> None:
    task = board.new(policy=GATED)
    tasks.approve(task, None)
    tasks.request_start(task)
    tasks.request_stop(task)
    with pytest.raises(NotReady, match="approval"):
        tasks.request_start(task)
    assert policy.in_force(tasks.get(task.id)).require_approval
