"""Putting tasks away: archived, so that lists leave them out."""

from __future__ import annotations

from uuid import UUID

from shared import audit
from shared.audit import Act
from shared.clock import now
from shared.doorbell import Bell, ring
from shared.errors import BadRequest, Conflict
from shared.store.database import transaction
from shared.store.models import Task
from shared.tasks import get

#: How long a recovery ref, the backup of a checkout and a deleted task are kept.
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
