"""Commands that touch a repository: capture, preview, merge, cleanup. Each may be carried out twice."""

from __future__ import annotations

import dataclasses
import logging
import shutil
from typing import Any

from shared import archive, commands, landings, tasks
from shared.commands import CommandKind, State
from shared.config import Config
from shared.crashpoints import crashpoint
from shared.errors import Conflict, GitFailed, NotReady, OpenRuntimeError, Refused, UnmergedWork
from shared.store.database import transaction
from shared.store.models import Capture as CaptureRow
from shared.store.models import Command, Landing, Task
from workers.attempts import closing
from workers.attempts.place import attempt_directories, worktree_of
from workers.repository import capture as captures
from workers.repository import discovery, landing, removal
from workers.repository.discovery import Repository
from workers.repository.worktree import Worktree

log = logging.getLogger(__name__)


def carry_out(command: Command, config: Config) -> None:
    """Do what a taken command says and end it: applied with its result, or refused with a problem."""
    task = Task.get_by_id(command.task_id)
    crashpoint("work.taken")
    try:
        result = WORK[CommandKind(command.kind)](task, command, config)
        commands.finish(command.id, State.APPLIED, result)
        crashpoint("work.finished")
    except OpenRuntimeError as error:
        commands.finish(command.id, State.REFUSED, problem(error))
    except Exception as error:
        log.exception("%s of task %s failed", command.kind, task.id)
        commands.finish(command.id, State.REFUSED, problem(Conflict(f"The {command.kind} failed: {error}")))


def problem(error: OpenRuntimeError) -> dict[str, Any]:
    """An error as the problem document the web process answers with."""
    if not isinstance(error, Refused):
        error = Conflict(str(error))
    return {
        "status": error.status,
        "title": error.title,
        "slug": error.slug,
        "detail": error.detail,
        **error.extra,
    }


def _capture(task: Task, command: Command, config: Config) -> dict[str, Any]:
    worktree = worktree_of(task, config)
    if worktree is None or not worktree.path.is_dir():
        return {"captured": False}
    return {"captured": True, "capture": closing.take(task, worktree).id}


def _preview(task: Task, command: Command, config: Config) -> dict[str, Any]:
    worktree, repository = _place(task, config)
    taken = captures.take(worktree)
    landings.keep_capture(task, closing.record_of(taken, task))
    found = landing.preview(
        repository, taken, target_branch=command.body.get("target_branch") or task.target_branch
    )
    return dataclasses.asdict(found)


def _merge(task: Task, command: Command, config: Config) -> dict[str, Any]:
    result = command.result or _merged(task, command, config)
    if not command.body.get("cleanup"):
        return dict(result)
    try:
        _remove(tasks.get(task.id), force=False, config=config)
    except (Refused, GitFailed) as error:
        return {**result, "cleanup_refused": str(error)}  # the merge stands, whatever becomes of its cleanup
    return dict(result)


def _merged(task: Task, command: Command, config: Config) -> dict[str, Any]:
    if task.live_attempt is not None:
        raise Conflict(f"The task is {task.status}; it can be merged once it has ended.")
    if (task.worktree or {}).get("tampered"):
        raise Conflict(
            "Git's configuration or hooks changed during the last attempt: look at them, then start the task again"
            " or take its branch yourself."
        )
    done = _already_landed(task, command)
    if done is not None:
        return done
    worktree, repository = _place(task, config)
    taken = captures.take(worktree)
    if not taken.files:
        raise Conflict("The task has no changes to merge.")
    row = landings.keep_capture(task, closing.record_of(taken, task))
    return _land(task, repository, taken, row, command)


def _land(
    task: Task, repository: Repository, taken: captures.Capture, row: CaptureRow, command: Command
) -> dict[str, Any]:
    body = command.body
    recorded: list[Landing] = []

    def record(intent: landing.Intent) -> None:
        recorded.append(
            landings.begin_landing(task, row, intent.strategy, intent.target_branch, intent.to_json())
        )
        crashpoint("merge.intent")

    try:
        landed = landing.land(
            repository,
            taken,
            strategy=body.get("strategy") or "squash",
            message=body.get("message") or landings.proposed_message(task),
            target_branch=body.get("target_branch") or task.target_branch,
            expected_head=body.get("head_oid"),
            expected_target=body.get("target_oid"),
            record=record,
        )
    except (Refused, GitFailed):
        for begun in recorded:
            landings.end_landing(begun, "refused")
        raise
    crashpoint("merge.moved")
    for given_up in recorded[:-1]:
        landings.end_landing(given_up, "refused")
    return _landed(task, command, recorded[-1], landed)


def _already_landed(task: Task, command: Command) -> dict[str, Any] | None:
    """A merge delivered twice, or resumed after a crash: go on with the landing that was begun."""
    begun = landings.unfinished_landing(task)
    if begun is not None:
        try:
            return _landed(task, command, begun, landing.complete(landing.Intent.from_json(begun.intent)))
        except (Refused, GitFailed):
            landings.end_landing(begun, "refused")
            raise
    if task.worktree_merged_at is not None:
        raise Conflict("The task's changes are already merged.")
    return None


def _landed(task: Task, command: Command, recorded: Landing, landed: landing.Landed) -> dict[str, Any]:
    """Record a landing, its task and what the command answers in one transaction: all of it is so, or none."""
    where = f"branch {landed.target_branch}" if landed.target_branch else "the checkout"
    said = f"Merged into {where}" + (f" as {landed.commit_oid[:10]}" if landed.commit_oid else "")
    result = {"message": said, "commit_oid": landed.commit_oid, "target_branch": landed.target_branch}
    with transaction():
        landings.end_landing(
            recorded,
            "landed",
            commit_oid=landed.commit_oid,
            previous_oid=landed.previous_oid,
            backup_ref=landed.backup_ref,
        )
        if tasks.get(task.id).worktree_merged_at is None:
            landings.merged(task, said)
        commands.keep_result(command.id, result)
    crashpoint("merge.recorded")
    return result


def _cleanup(task: Task, command: Command, config: Config) -> dict[str, Any]:
    return _remove(task, force=bool(command.body.get("force")), config=config)


def _remove(task: Task, *, force: bool, config: Config) -> dict[str, Any]:
    if task.live_attempt is not None:
        raise Conflict(f"The task is {task.status}; it can be cleaned up once it has ended.")
    worktree = worktree_of(task, config)  # also one whose start ended before the task knew of it
    if task.worktree_path is None and worktree is None:
        raise Conflict("The task has no worktree; there is nothing to clean up.")
    ref = None
    if worktree is not None:
        row = _last_state(task, worktree) if task.worktree_path is not None else None
        if row is not None and row.files and not force and not _has_landed(task, row):
            raise UnmergedWork(
                "The task's changes are not merged; merge them, or force the cleanup. They stay under a recovery ref.",
                files=len(row.files),
            )
        ref = removal.remove(worktree, keep=row.head_oid if row is not None else None)
        crashpoint("cleanup.removed")
    closing.forget(attempt_directories(task, config))
    said = "Removed the worktree" + (f"; its last state is kept as {ref}" if ref else "")
    if task.worktree_cleaned_at is None:
        landings.cleaned(task, said)
    crashpoint("cleanup.recorded")
    return {"message": said, "recovery_ref": ref}


def _delete(task: Task, command: Command, config: Config) -> dict[str, Any]:
    """Files first: a crash in between leaves a task that can be deleted again, never a file without one."""
    archive.refuse_undeletable(task)
    worktree = worktree_of(task, config)
    if worktree is not None:  # a start that failed made it; no agent ever saw it
        removal.remove(worktree, keep=None)
    closing.forget(attempt_directories(task, config))
    shutil.rmtree(config.homes / task.id, ignore_errors=True)
    if attempt_directories(task, config):
        raise Conflict("A process of the task is still ending; delete it in a moment.")
    archive.delete(task)
    return {}


def _last_state(task: Task, worktree: Worktree) -> CaptureRow | None:
    """The worktree as it is now, captured; as it was last captured when the folder is gone."""
    if worktree.path.is_dir():
        return closing.take(task, worktree)
    return landings.latest_capture(task)


def _has_landed(task: Task, row: CaptureRow) -> bool:
    last = landings.last_landing(task)
    if last is None or task.worktree_merged_at is None:
        return False
    landed = CaptureRow.get_or_none(CaptureRow.id == last.capture)
    return landed is not None and landed.tree_oid == row.tree_oid


def _place(task: Task, config: Config) -> tuple[Worktree, Repository]:
    worktree = worktree_of(task, config)
    if worktree is None or task.worktree_path is None:
        raise Conflict("The task has no worktree; there is nothing to merge.")
    if not worktree.path.is_dir():
        raise NotReady(
            "The task's worktree is gone; start the task again to bring it back from its last state."
        )
    repository = discovery.locate(task.workspace)
    if repository is None:
        raise NotReady(f"{task.workspace} is not in a git repository any more.")
    return worktree, repository


WORK = {
    CommandKind.CAPTURE: _capture,
    CommandKind.PREVIEW: _preview,
    CommandKind.MERGE: _merge,
    CommandKind.CLEANUP: _cleanup,
    CommandKind.DELETE: _delete,
}
