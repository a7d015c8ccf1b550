"""Replies on their way: queued, delivered, answered, failed; and those that are taken back before they go out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shared import audit
from shared.audit import Act
from shared.clock import now
from shared.commands import OPEN, CommandKind, State
from shared.doorbell import Bell, ring
from shared.errors import Conflict, NotFound
from shared.store.database import raw, transaction
from shared.store.models import INSERTED, Command, Task

#: A task's newest replies; older ones stand in its timeline.
SHOWN = 50


@dataclass(frozen=True)
class FollowUp:
    """One reply. `state` is queued, delivered (the agent has it), answered (its turn is over), failed or withdrawn."""

    id: str
    message: str
    mode: str
    state: str
    created_at: datetime
    delivered_at: datetime | None
    detail: str | None


def of(task: Task) -> list[FollowUp]:
    """The newest replies of a task, oldest first."""
    query = Command.select().where(Command.task == task.number, Command.kind == CommandKind.REPLY)
    return [_told(row) for row in reversed(list(query.order_by(INSERTED.desc()).limit(SHOWN)))]


def queued(task: Task) -> list[FollowUp]:
    """Those that have not reached the agent, oldest first."""
    open_ones = Command.select().where(
        Command.task == task.number, Command.kind == CommandKind.REPLY, Command.state.in_(OPEN)
    )
    return [_told(row) for row in open_ones.order_by(INSERTED)]


def withdraw(task: Task, reply_id: str) -> FollowUp:
    """Take back a reply that has not gone out. Raises NotFound, and Conflict once the agent has it."""
    with transaction():
        row = Command.get_or_none(
            Command.id == reply_id, Command.task == task.number, Command.kind == CommandKind.REPLY
        )
        if row is None:
            raise NotFound("The task has no such reply.")
        taken_back = (
            Command.update(state=State.IGNORED, result={"detail": "Withdrawn."}, finished_at=now())
            .where(Command.id == row.id, Command.state == State.ACCEPTED)
            .execute()
        )
        if not taken_back:
            raise Conflict(f"The reply is already {_told(row).state}.")
        Task.update(updated_at=now()).where(Task.number == task.number).execute()
        audit.record(Act.WITHDRAW_REPLY, "task", task.id, reply=reply_id)
        ring(Bell.CHANGE)
    return _told(Command.get_by_id(reply_id))


def answered(attempt_id: str) -> None:
    """The agent ended its turn: whatever it had been told is answered; inside the caller's transaction."""
    raw().execute(
        "UPDATE command SET result = json_set(coalesce(result, '{}'), '$.answered', 1)"
        " WHERE attempt = ? AND kind = 'reply' AND state = 'applied' AND json_extract(result, '$.answered') IS NULL",
        (attempt_id,),
    )


def _told(row: Command) -> FollowUp:
    result = row.result or {}
    reached = row.state in (State.APPLIED, State.REDIRECTED)
    return FollowUp(
        id=row.id,
        message=str(row.body.get("message", "")),
        mode=str(row.body.get("mode") or "steer"),
        state=_state(row.state, is_answered=bool(result.get("answered"))),
        created_at=row.accepted_at,
        delivered_at=row.finished_at if reached else None,
        detail=None if reached else result.get("detail"),
    )


def _state(state: str, *, is_answered: bool) -> str:
    if state in OPEN:
        return "queued"
    if state == State.IGNORED:
        return "withdrawn"
    if state == State.REDIRECTED:
        return "delivered"
    return ("answered" if is_answered else "delivered") if state == State.APPLIED else "failed"
