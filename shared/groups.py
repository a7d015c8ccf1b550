"""Groups: sibling tasks for one goal, in one workspace, from one commit, of which a person picks one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID, uuid4

from shared import audit, creation, tasks
from shared.audit import Act
from shared.clock import now
from shared.creation import NewTask
from shared.doorbell import Bell, ring
from shared.errors import BadRequest, Conflict, NotFound
from shared.lifecycle import ENDED
from shared.store.database import transaction
from shared.store.models import Approval, Task, TaskGroup

FEWEST, MOST = 2, 8


@dataclass(frozen=True)
class Place:
    """Where a task stands among the tasks of its group: `number` counts from 1."""

    number: int
    of: int
    picked: bool = False


def get(group_id: str) -> TaskGroup:
    """The group with this UUID; raises BadRequest for a malformed id, NotFound for an unknown one."""
    try:
        wanted = str(UUID(group_id))
    except ValueError:
        raise BadRequest(f"The id {group_id!r} is not a UUID.") from None
    group = TaskGroup.get_or_none(TaskGroup.id == wanted)
    if group is None or not Task.select().where(Task.group_id == wanted).exists():
        raise NotFound("Group not found.")
    return group


def members(group: TaskGroup) -> list[Task]:
    """The tasks of a group in the order they were asked for, archived ones included."""
    return list(Task.select().where(Task.group_id == group.id).order_by(Task.number))


def two(group: TaskGroup, first: str, second: str) -> tuple[Task, Task]:
    """Two tasks of the group, to compare them. Raises BadRequest for one outside of it, and for the same twice."""
    found = tasks.get(first), tasks.get(second)
    if any(task.group_id != group.id for task in found):
        raise BadRequest("Both tasks must belong to this group.")
    if found[0].id == found[1].id:
        raise BadRequest("Choose two tasks: these are the same.")
    return found


def siblings(task: Task) -> list[Task]:
    """The tasks of a task's group, itself among them; the task alone where it has none."""
    return [task] if task.group_id is None else members(get(str(task.group_id)))


def create(variants: Sequence[NewTask], home: Path) -> list[Task]:
    """Record one task for each variant; all or none. Raises BadRequest for too few or many, and what a creation raises."""
    if not FEWEST <= len(variants) <= MOST:
        raise BadRequest(f"A group has {FEWEST} to {MOST} variants.")
    with transaction():
        group = TaskGroup.create(id=str(uuid4()), created_at=now())
        return [creation.create(replace(new, group_id=group.id), home) for new in variants]


def places(rows: Sequence[Task]) -> dict[int, Place]:
    """Where each of these tasks that has a group stands in it, by its number."""
    wanted = {row.group_id for row in rows if row.group_id is not None}
    if not wanted:
        return {}
    found: dict[str, list[int]] = {}
    ids: dict[int, str] = {}
    grouped = Task.select(Task.number, Task.id, Task.group_id).where(Task.group_id.in_(wanted))
    for row in grouped.order_by(Task.number):
        found.setdefault(str(row.group_id), []).append(row.number)
        ids[row.number] = row.id
    picked = {
        row.picked for row in TaskGroup.select(TaskGroup.picked).where(TaskGroup.id.in_(wanted)) if row.picked
    }
    return {
        number: Place(index, len(numbers), ids[number] in picked)
        for numbers in found.values()
        for index, number in enumerate(numbers, start=1)
    }


def denied(rows: Sequence[Task]) -> Counter[int]:
    """How many calls were denied in each of these tasks, by a person or by a rule."""
    numbers = [row.number for row in rows]
    found = Approval.select(Approval.task).where(Approval.task.in_(numbers), Approval.status == "denied")
    return Counter(row.task_id for row in found)


def base_of(task: Task) -> str | None:
    """The commit that the first task of the group to start began at; None before, and without a group."""
    if task.group_id is None:
        return None
    group = TaskGroup.get_or_none(TaskGroup.id == task.group_id)
    return group.base_commit if group is not None else None


def begin_at(task: Task, commit: str) -> str:
    """Settle where the group begins: the first to come says it, and everyone gets what it said."""
    with transaction():
        TaskGroup.update(base_commit=commit).where(
            TaskGroup.id == task.group_id, TaskGroup.base_commit.is_null()
        ).execute()
        return base_of(task) or commit


def pick(group: TaskGroup, task_id: str) -> TaskGroup:
    """Keep one task; the others are stopped and archived, until they are put back. The same again changes nothing.

    Raises BadRequest for a task outside the group, Conflict when another one is picked.
    """
    with transaction():
        group = get(group.id)
        rows = members(group)
        chosen = tasks.get(task_id)
        if chosen.group_id != group.id:
            raise BadRequest("The task does not belong to this group.")
        if group.picked == chosen.id:
            return group
        if group.picked is not None:
            raise Conflict("Another task is picked; put the others back first.")
        aside = [row for row in rows if row.id != chosen.id and row.archived_at is None]
        for row in aside:
            if row.live_attempt is not None or row.status not in ENDED:
                tasks.request_stop(row)
        _archive([row.number for row in aside], True)
        _archive([chosen.number], False)
        names = [row.id for row in aside]
        TaskGroup.update(picked=chosen.id, set_aside=names).where(TaskGroup.id == group.id).execute()
        audit.record(Act.PICK, "group", group.id, task_id=chosen.id, set_aside=names)
        ring(Bell.CHANGE)
    return get(group.id)


def unpick(group: TaskGroup) -> TaskGroup:
    """Put back what the pick archived; what it stopped can be started again. Without a pick nothing changes."""
    with transaction():
        group = get(group.id)
        if group.picked is not None:
            _archive([row.number for row in members(group) if row.id in group.set_aside], False)
            TaskGroup.update(picked=None, set_aside=[]).where(TaskGroup.id == group.id).execute()
            audit.record(Act.UNPICK, "group", group.id, task_id=group.picked, put_back=list(group.set_aside))
            ring(Bell.CHANGE)
    return get(group.id)


def _archive(numbers: list[int], archived: bool) -> None:
    at = now()
    Task.update(archived_at=at if archived else None, updated_at=at).where(
        Task.number.in_(numbers), Task.archived_at.is_null(archived)
    ).execute()
