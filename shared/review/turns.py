"""Turns of a task: each begins when its agent is told something to do, and ends when that is done.

The first message of an attempt begins one, and so does each reply that an idle agent gets; what is said while it works
belongs to the turn under way. A turn knows the captures of what was there at both of its ends.
"""

from __future__ import annotations

import peewee

from shared.clock import now
from shared.store.database import transaction
from shared.store.models import Attempt, Task, Turn


def begin(attempt: Attempt, id: str, began_from: str | None) -> None:
    """Record that a turn begins with the message `id`: the attempt's own id, or its reply's; again it changes nothing.

    `began_from` is the capture of what is there, None for the base. A turn that is under way ends there.
    """
    with transaction():
        if Turn.get_or_none(Turn.id == id) is not None:
            return
        at = now()
        this_task = Turn.task == attempt.task_id
        Turn.update(ended_with=began_from, ended_at=at).where(this_task, Turn.ended_at.is_null()).execute()
        last = Turn.select(peewee.fn.max(Turn.number)).where(this_task).scalar()
        Turn.create(
            id=id,
            task=attempt.task_id,
            attempt=attempt.id,
            number=(last or 0) + 1,
            began_from=began_from,
            began_at=at,
        )


def withdraw(id: str) -> None:
    """The agent did not take the message: there is no such turn, and the one before it is under way again."""
    with transaction():
        gone = Turn.get_or_none(Turn.id == id)
        if gone is None:
            return
        gone.delete_instance()
        Turn.update(ended_with=None, ended_at=None).where(
            Turn.task == gone.task_id, Turn.attempt == gone.attempt, Turn.number == gone.number - 1
        ).execute()


def end(attempt: Attempt, ended_with: str | None) -> None:
    """Record what the attempt's last turn ended with, None where that could not be captured."""
    with transaction():
        Turn.update(ended_with=ended_with, ended_at=now()).where(
            Turn.attempt == attempt.id, Turn.ended_at.is_null()
        ).execute()


def of(task: Task) -> list[Turn]:
    """The task's turns, in order."""
    return list(Turn.select().where(Turn.task == task.number).order_by(Turn.number))
