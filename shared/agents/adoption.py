"""Agent sessions that a person began outside, taken up by a task that then goes on with them."""

from __future__ import annotations

import os
from pathlib import Path

from shared import audit, creation
from shared.agents import sessions
from shared.agents.sessions import Session
from shared.audit import Act
from shared.creation import NewTask
from shared.errors import BadRequest, Conflict
from shared.store.database import transaction
from shared.store.models import Attempt, Task
from shared.tasks import get

#: Their conversation is about the folder it was held in; the worker brings it along into the task's worktree.
BOUND_TO_FOLDER = frozenset({"claude-code"})


def elsewhere(session: Session, workspace: str) -> str | None:
    """Why a task in this workspace should not go on with the session, as a sentence; None when it can."""
    if session.runner not in BOUND_TO_FOLDER:
        return None
    if session.workspace is None or os.path.realpath(session.workspace) != os.path.realpath(workspace):
        return "This session was held in another folder; choose that workspace."
    return None


def create(new: NewTask, home: Path, session: Session | None) -> Task:
    """A task, which takes up `session` where one is given; both or neither. Raises what each of them raises."""
    with transaction():
        task = creation.create(new, home)
        return adopt(task, session) if session is not None else task


def adopt(task: Task, session: Session) -> Task:
    """Have a task that never ran take up a session a person began: its first start resumes it.

    Raises BadRequest where the task's agent could not find it, Conflict when the session belongs to a task already or
    this one has run.
    """
    if session.runner != task.runner:
        raise BadRequest("The session belongs to another runner; choose that one.")
    with transaction():
        if sessions.owners([session]).get((session.runner, session.session_id), task.id) != task.id:
            raise Conflict("The session belongs to a task already; reply to that one.")
        if problem := elsewhere(session, task.workspace):
            raise BadRequest(problem)
        if Attempt.select().where(Attempt.task == task.number).exists():
            raise Conflict("The task has run already, with a session of its own.")
        Task.update(runner_session_id=session.session_id).where(Task.number == task.number).execute()
        audit.record(Act.ADOPT_SESSION, "task", task.id, session=session.session_id)
    return get(task.id)


def is_adopted(task: Task) -> bool:
    """Whether the task's first start is to resume a session that was there before it."""
    return (
        task.runner_session_id is not None
        and not Attempt.select().where(Attempt.task == task.number).exists()
    )
