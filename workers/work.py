"""Commands that touch a repository: capture, preview, merge, cleanup. Each may be carried out twice."""

from __future__ import annotations

import logging
from typing import Any

from shared import commands
from shared.commands import CommandKind, State
from shared.config import Config
from shared.crashpoints import crashpoint
from shared.errors import Conflict, OpenRuntimeError, Refused
from shared.review import landings
from shared.secrets import masking
from shared.store.models import Command, Task
from workers import comparing, deleting
from workers.attempts import capturing, configured, granting
from workers.attempts.place import worktree_of
from workers.landing import cleanup, merge, push, rebase, undo, verification
from workers.versions import texts

log = logging.getLogger(__name__)


def is_long(command: Command) -> bool:
    """Whether carrying it out may run a check, or waits for a remote."""
    return command.kind in (CommandKind.VERIFY, CommandKind.PUSH) or (
        command.kind == CommandKind.MERGE and verification.is_required(Task.get_by_id(command.task_id))
    )


def carry_out(command: Command, config: Config) -> None:
    """Do what a taken command says and end it: applied with its result, or refused with a problem."""
    task = Task.get_by_id(command.task_id)
    crashpoint("work.taken")
    redact = granting.redactor(task, config).redact  # a preview shows lines of files
    try:
        result = WORK[CommandKind(command.kind)](task, command, config)
        commands.finish(command.id, State.APPLIED, masking.throughout(result, redact))
        crashpoint("work.finished")
    except OpenRuntimeError as error:
        told = masking.throughout(problem(error), redact)
        if is_long(command):  # whoever asked may have gone
            landings.refused(task, f"The {command.kind} was refused: {told['detail']}")
        commands.finish(command.id, State.REFUSED, told)
    except Exception as error:
        log.exception("%s of task %s failed", command.kind, task.id)
        told = problem(Conflict(f"The {command.kind} failed: {error}"))
        commands.finish(command.id, State.REFUSED, masking.throughout(told, redact))


def problem(error: OpenRuntimeError) -> dict[str, Any]:
    """An error as the problem document the web process answers with."""
    if not isinstance(error, Refused):
        error = Conflict(str(error))
    told = {
        "status": error.status,
        "title": error.title,
        "slug": error.slug,
        "detail": error.detail,
        **error.extra,
    }
    return dict(masking.throughout(told, masking.masked))


def _look(task: Task, command: Command, config: Config) -> dict[str, Any]:
    return {"untrusted": len(configured.found(task, config))}


def _capture(task: Task, command: Command, config: Config) -> dict[str, Any]:
    worktree = worktree_of(task, config)
    if worktree is None or not worktree.is_there:
        return {"captured": False}
    live = task.live_attempt is not None
    taken = capturing.take(task, worktree, config, why=command.kind, live=live)
    return {"captured": True, "capture": taken.id}


WORK = {
    CommandKind.LOOK: _look,
    CommandKind.CAPTURE: _capture,
    CommandKind.FILE: texts.keep,
    CommandKind.COMPARE: comparing.compare,
    CommandKind.PREVIEW: merge.preview,
    CommandKind.MERGE: merge.merge,
    CommandKind.CLEANUP: cleanup.cleanup,
    CommandKind.UNDO: undo.undo,
    CommandKind.UNDO_PREVIEW: undo.preview,
    CommandKind.VERIFY: verification.verify,
    CommandKind.REBASE: rebase.rebase,
    CommandKind.PUSH: push.push,
    CommandKind.PUSH_PREVIEW: push.preview,
    CommandKind.DELETE: deleting.delete,
}
