"""Deleting a task: out of every list at once, put back on request, and gone for good after a while or when a person says so."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from shared import audit, commands, timeline
from shared.archive import KEPT_DAYS
from shared.audit import Act
from shared.clock import now
from shared.commands import EXCLUSIVE, CommandKind
from shared.doorbell import Bell, ring
from shared.errors import BadRequest, Conflict, NotFound, UnmergedWork
from shared.events import Draft, Kind
from shared.store.database import transaction
from shared.store.models import Command, Idempotency, Task, TaskGroup
from shared.task_place import TaskPlace
from shared.tasks import get

#: In the body of a delete command: the task's rows and files go, not only its place in the lists.
FOR_GOOD = "for_good"


def request(task: Task) -> Command:
    """Ask a worker to remove the task's files and then to hide the task; asked again it is the same command.

    Raises Conflict while the task is live or its repository is worked on, UnmergedWork while its worktree is there.
    """
    with transaction():
        task = get(task.id)
        refuse_undeletable(task)
        for work in commands.open_work(task):
            if work.kind == CommandKind.DELETE:
                return work
            if work.kind in EXCLUSIVE:
                raise Conflict(f"A {work.kind} of the task is under way; delete it when that is done.")
        return commands.accept(task, CommandKind.DELETE)


def refuse_undeletable(task: Task) -> None:
    """Raise Conflict or UnmergedWork when something would be lost with the task."""
    if task.live_attempt is not None:
        raise Conflict(f"The task is {task.status}; stop it before it is deleted.")
    if task.place == TaskPlace.COPY and not task.diff_stat:
        return  # the worker looks whether the copy still is as the folder was, and takes it away
    if task.worktree_path is not None and task.worktree_cleaned_at is None:
        raise UnmergedWork("The task has a worktree; clean it up, then delete the task.")


def hide(task: Task) -> None:
    """Take the task out of everything that selects tasks; its rows stay. A live one is left as it is."""
    with transaction():
        Idempotency.delete().where(Idempotency.task_id == task.id).execute()
        deletable = (Task.number == task.number, Task.live_attempt.is_null(), Task.deleted_at.is_null())
        if Task.update(deleted_at=now()).where(*deletable).execute():
            audit.record(Act.DELETED, "task", task.id)
        ring(Bell.CHANGE)


def listed() -> list[Task]:
    """The deleted tasks that can be put back, the last deleted first."""
    rows = Task.every().where(Task.deleted_at.is_null(False))
    return list(rows.order_by(Task.deleted_at.desc(), Task.number.desc()))


def find(task_id: str) -> Task:
    """The deleted task with this UUID. Raises BadRequest for a malformed id, NotFound where no such task is deleted."""
    try:
        wanted = str(UUID(task_id))
    except ValueError:
        raise BadRequest(f"The id {task_id!r} is not a UUID.") from None
    task: Task | None = Task.every().where(Task.id == wanted, Task.deleted_at.is_null(False)).first()
    if task is None:
        raise NotFound("No such task is deleted.")
    return task


def put_back(task: Task) -> Task:
    """Take a deleted task back, with all that was recorded of it. Raises NotFound, Conflict while it goes for good."""
    with transaction():
        task = find(task.id)
        if _going(task) is not None:
            raise Conflict("The task is being deleted for good.")
        Task.update(deleted_at=None, updated_at=now()).where(Task.number == task.number).execute()
        said = f"Put back; the task was deleted on {task.deleted_at:%Y-%m-%d}"
        timeline.append(task.number, [Draft(Kind.LIFECYCLE, said)])
        audit.record(Act.PUT_BACK, "task", task.id)
        ring(Bell.CHANGE)
    return get(task.id)


def request_for_good(task: Task) -> Command:
    """Ask a worker to remove what is left of a deleted task; asked again it is the same command."""
    with transaction():
        task = find(task.id)
        return _going(task) or commands.accept(task, CommandKind.DELETE, {FOR_GOOD: True})


def _going(task: Task) -> Command | None:
    return next((work for work in commands.open_work(task) if work.body.get(FOR_GOOD)), None)


def overdue() -> list[Task]:
    """The deleted tasks whose time is over."""
    return list(Task.every().where(Task.deleted_at < now() - timedelta(days=KEPT_DAYS)))


def forget(task: Task) -> None:
    """Remove a deleted task's rows with its events, attempts, captures and commands; its files went before."""
    with transaction():
        if Task.delete().where(Task.number == task.number, Task.deleted_at.is_null(False)).execute():
            audit.record(Act.DELETED_FOR_GOOD, "task", task.id)
            if not Task.every().where(Task.group_id == task.group_id).exists():
                TaskGroup.delete().where(TaskGroup.id == task.group_id).execute()
        ring(Bell.CHANGE)
