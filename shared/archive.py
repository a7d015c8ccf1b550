"""Putting tasks away: archived, so that lists leave them out, or deleted with everything that belongs to them."""

from __future__ import annotations

from uuid import UUID

from shared import audit, commands
from shared.audit import Act
from shared.clock import now
from shared.commands import EXCLUSIVE, CommandKind
from shared.doorbell import Bell, ring
from shared.errors import BadRequest, Conflict, UnmergedWork
from shared.store.database import transaction
from shared.store.models import Command, Idempotency, Task, TaskGroup
from shared.tasks import get

#: How long a recovery ref and the backup of a checkout are kept.
KEPT_DAYS = 30


def recovery_ref(task_id: str) -> str:
    """The ref in the user's repository that a removed worktree's last state stays under; raises BadRequest."""
    try:
        return f"refs/openruntime/recovery/{UUID(task_id)}"
    except ValueError:
        raise BadRequest(f"The id {task_id!r} is not a UUID.") from None


def set_archived(task: Task, archived: bool) -> Task:
    """Archive a task, or take it back into the lists; the same again changes nothing. Raises Conflict over a live one."""
    with transaction():
        task = get(task.id)
        if archived and task.live_attempt is not None:
            raise Conflict(f"The task is {task.status}; stop it before it is archived.")
        if archived != (task.archived_at is not None):
            at = now()
            Task.update(archived_at=at if archived else None, updated_at=at).where(
                Task.number == task.number
            ).execute()
            audit.record(Act.ARCHIVE if archived else Act.UNARCHIVE, "task", task.id)
            ring(Bell.CHANGE)
    return get(task.id)


def request_delete(task: Task) -> Command:
    """Ask a worker to remove the task's files and then its rows; asked again it is the same command.

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
    if task.worktree_path is not None and task.worktree_cleaned_at is None:
        raise UnmergedWork("The task has a worktree; clean it up, then delete the task.")


def delete(task: Task) -> None:
    """Remove a task's rows with its events, attempts, captures and commands; the worker removed its files before."""
    with transaction():
        Idempotency.delete().where(Idempotency.task_id == task.id).execute()
        if Task.delete().where(Task.number == task.number, Task.live_attempt.is_null()).execute():
            audit.record(Act.DELETED, "task", task.id)
            if not Task.select().where(Task.group_id == task.group_id).exists():
                TaskGroup.delete().where(TaskGroup.id == task.group_id).execute()
        ring(Bell.CHANGE)
