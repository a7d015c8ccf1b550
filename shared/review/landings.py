"""Captures of what an attempt changed, and how they land: kept in the store, so a diff outlives its worktree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from shared import audit, commands, timeline, workspaces
from shared.audit import Act
from shared.clock import now
from shared.commands import EXCLUSIVE, CommandKind, State
from shared.errors import Conflict
from shared.events import Draft, Kind
from shared.lifecycle import Status
from shared.review import keeping
from shared.store.database import transaction
from shared.store.models import INSERTED, Capture, Command, Landing, Task
from shared.task_place import PLAIN, TaskPlace
from shared.tasks import get

#: As the programs sign themselves in commits they make on their own.
CO_AUTHORS = {
    "claude-code": "Claude <noreply@anthropic.com>",
    "codex": "Codex <noreply@openai.com>",
}
#: Warnings of a capture about what it does not hold.
LEFT_OUT = frozenset(
    {"embedded-repository", "submodule-moved", "too-large", "too-much", "unreadable", "unsafe-name"}
)
IN_WORKTREES = (CommandKind.MERGE, CommandKind.REBASE, CommandKind.CLEANUP, CommandKind.PUSH)
DONE = {
    CommandKind.MERGE: "merged",
    CommandKind.CLEANUP: "cleaned up",
    CommandKind.UNDO: "undone",
    CommandKind.REBASE: "rebased",
    CommandKind.PUSH: "pushed",
    CommandKind.DELETE: "deleted",
}
#: Asked again while a worker is at it, these are not done twice.
JOINED = EXCLUSIVE | {CommandKind.VERIFY, CommandKind.COMPARE}


def request_work(task: Task, kind: CommandKind, body: Mapping[str, Any] | None = None) -> Command:
    """Ask a worker for something that touches the task's repository: capture, preview, merge, cleanup, undo.

    The same asked again while the first waits is one command, of some kinds also while it is carried out. Raises Conflict for a merge or a cleanup of a task
    that has not ended, and beside another one.
    """
    with transaction():
        task = get(task.id)
        under_way = commands.open_work(task)
        for known in under_way:
            waits = known.state == State.ACCEPTED or kind in JOINED
            if known.kind == kind and known.body == dict(body or {}) and waits:
                return known
        other = next((known for known in under_way if known.kind in EXCLUSIVE), None)
        if other is not None and kind in EXCLUSIVE:
            raise Conflict(f"A {other.kind} of the task is already under way; try again when it is done.")
        if kind in EXCLUSIVE:
            _require_at_rest(task, kind)
        return commands.accept(task, kind, body)


def _require_at_rest(task: Task, kind: CommandKind) -> None:
    if task.live_attempt is not None:
        raise Conflict(f"The task is {task.status}; it can be {DONE[kind]} once it has ended.")
    if kind in IN_WORKTREES and task.place == TaskPlace.IN_PLACE:
        raise Conflict(
            "The task has no worktree: it works in place, and what it edits is in the folder already."
        )
    if kind in (CommandKind.MERGE, CommandKind.REBASE) and task.worktree_path is None:
        raise Conflict("The task has no worktree; there is nothing to merge.")
    if kind is CommandKind.MERGE and task.worktree_merged_at is not None:
        raise Conflict("The task's changes are already merged.")


def proposed_message(task: Task) -> str:
    """The proposal for the landing commit: the title, the goal when it says more, and where it came from.

    The agent is named as an author beside the person only where the workspace's defaults ask for it.
    """
    goal = task.prompt if task.prompt and task.prompt != task.title else ""
    body = f"\n\n{goal[:2000]}" if goal else ""
    trailers = f"OpenRuntime-Task: {task.id}\n"
    if workspaces.defaults_for(task.workspace).get("co_authored_by"):
        agent = CO_AUTHORS.get(task.runner, f"{task.runner} <{task.runner}@openruntime.invalid>")
        trailers += f"Co-Authored-By: {agent}\n"
    return f"{task.title}{body}\n\n{trailers}"


def where_it_lands(task: Task, branch: str | None) -> str:
    """The target of a landing, in words."""
    if task.place in PLAIN:
        return f"the folder {task.workspace}"
    return f"branch {branch}" if branch else "the checkout"


def merged(task: Task, message: str) -> None:
    """Record that the task's capture has landed: the task is completed."""
    with transaction():
        Task.update(worktree_merged_at=now()).where(Task.number == task.number).execute()
        Task.update(status=Status.COMPLETED, stop_reason=None).where(
            Task.number == task.number, Task.live_attempt.is_null()
        ).execute()
        timeline.append(task.number, [Draft(Kind.LIFECYCLE, message)])
        audit.record(Act.MERGED, "task", task.id, message=message)


def cleaned(task: Task, message: str) -> None:
    """Record that the worktree is gone."""
    with transaction():
        Task.update(worktree_cleaned_at=now()).where(Task.number == task.number).execute()
        timeline.append(task.number, [Draft(Kind.LIFECYCLE, message)])
        audit.record(Act.CLEANED, "task", task.id, message=message)


@dataclass(frozen=True)
class CaptureRecord:
    """What a worker captured, ready to be kept; `files` are JSON objects, `patch` is bytes."""

    base_oid: str
    head_oid: str
    tree_oid: str
    stat: str
    files: list[dict[str, Any]]
    patch: bytes
    truncated: bool
    flags: list[Any]
    fingerprint: str | None = None


def keep_capture(
    task: Task, record: CaptureRecord, attempt_id: str | None = None, why: str = "capture"
) -> Capture:
    """Store a capture, unless the latest one already holds the same tree and warnings; returns the latest.

    `why` is `end` (of an attempt), `turn` (one begins), or the kind of the command that needed it.
    """
    with transaction():
        last = latest_capture(task)
        known = (last.tree_oid, last.base_oid, last.flags) if last is not None else None
        if last is not None and known == (record.tree_oid, record.base_oid, record.flags):
            return last
        kept = Capture.create(
            id=str(uuid4()), task=task.number, attempt=attempt_id, captured_at=now(), why=why, **vars(record)
        )
        keeping.prune(task)
        shown = record.stat if record.files else ""
        Task.update(diff_stat=shown, updated_at=now()).where(Task.number == task.number).execute()
        return kept


def latest_capture(task: Task) -> Capture | None:
    return Capture.select().where(Capture.task == task.number).order_by(INSERTED.desc()).first()


def left_out(capture: Capture | None) -> list[str]:
    """What the worktree holds and no capture, by its warnings: a cleanup would take it for good."""
    flags = capture.flags if capture is not None else []
    return [str(flag.get("path") or "") for flag in flags if flag.get("kind") in LEFT_OUT]


def begin_landing(
    task: Task,
    capture: Capture,
    strategy: str,
    target: str | None,
    intent: str,
    overridden: Sequence[Mapping[str, Any]] = (),
    checks: Sequence[Mapping[str, Any]] = (),
) -> Landing:
    """Record the intent before the first ref moves, so that a crash can be completed (P17).

    `overridden` are the objections of gates that a person lets pass (`shared.review.gates`), `checks` how the task's
    checks stand for the tree that lands.
    """
    with transaction():
        return Landing.create(
            id=str(uuid4()),
            task=task.number,
            capture=capture.id,
            strategy=strategy,
            target_branch=target,
            state="prepared",
            intent=intent,
            overridden=[dict(one) for one in overridden],
            checks=[dict(one) for one in checks],
            created_at=now(),
        )


def end_landing(landing: Landing, state: str, **fields: Any) -> None:
    """Close a landing as `landed` or `refused`."""
    with transaction():
        Landing.update(state=state, finished_at=now(), **fields).where(Landing.id == landing.id).execute()


def stand_in_place(task: Task, capture: Capture, intent: str) -> None:
    """Record what a task edited in place as its one landing, which stands for all its attempts; none where it edited nothing."""
    with transaction():
        at = now()
        known = last_landing(task)
        if known is None and capture.files:
            known = begin_landing(task, capture, "apply", None, intent)
        if known is not None:
            state = "landed" if capture.files else "undone"
            Landing.update(capture=capture.id, intent=intent, state=state, finished_at=at).where(
                Landing.id == known.id
            ).execute()
        Task.update(worktree_merged_at=at if capture.files else None).where(
            Task.number == task.number
        ).execute()


def begin_undo(landing: Landing, intent: str) -> None:
    """Record how a landing is about to be undone, before the first ref moves."""
    with transaction():
        Landing.update(state="undoing", undo=intent).where(
            Landing.id == landing.id, Landing.state.in_(("landed", "undoing"))
        ).execute()


def drop_undo(landing: Landing) -> None:
    """The undoing was refused: the landing stands."""
    with transaction():
        Landing.update(state="landed", undo=None).where(
            Landing.id == landing.id, Landing.state == "undoing"
        ).execute()


def undone(task: Task, landing: Landing, message: str, oid: str | None) -> None:
    """Record that a landing is undone: its work waits for a review again. `oid` is the commit that reverted it."""
    with transaction():
        at = now()
        Landing.update(state="undone", undone_at=at, undo_oid=oid).where(Landing.id == landing.id).execute()
        Task.update(worktree_merged_at=None, updated_at=at).where(Task.number == task.number).execute()
        if task.place != TaskPlace.IN_PLACE:
            Task.update(status=Status.READY_FOR_REVIEW).where(
                Task.number == task.number, Task.live_attempt.is_null(), Task.status == Status.COMPLETED
            ).execute()
        timeline.append(task.number, [Draft(Kind.LIFECYCLE, message)])
        audit.record(Act.UNDONE, "task", task.id, message=message)


def rebased(task: Task, base_commit: str, message: str) -> None:
    """Record that the worktree stands on another base."""
    with transaction():
        Task.update(base_commit=base_commit, worktree_merged_at=None, updated_at=now()).where(
            Task.number == task.number
        ).execute()
        timeline.append(task.number, [Draft(Kind.LIFECYCLE, message)])


def refused(task: Task, message: str) -> None:
    """Say in the timeline why work on the repository was refused, for those who did not wait for the answer."""
    with transaction():
        timeline.append(task.number, [Draft(Kind.ERROR, message)])


def restored(task: Task, message: str, **place: Any) -> None:
    """Record that a removed worktree is there again, at the `place` (fields of the task)."""
    with transaction():
        Task.update(worktree_cleaned_at=None, updated_at=now(), **place).where(
            Task.number == task.number
        ).execute()
        timeline.append(task.number, [Draft(Kind.LIFECYCLE, message)])
        audit.record(Act.UNDONE, "task", task.id, message=message)


def published(task: Task, act: Act, message: str, output: str, **place: Any) -> None:
    """Record that a commit of the task is on a remote, or a pull request of it open; `place` is for the audit log."""
    with transaction():
        told = [Draft(Kind.STDOUT, output)] if output else []
        timeline.append(task.number, [*told, Draft(Kind.LIFECYCLE, message)])
        audit.record(act, "task", task.id, message=message, **place)


def not_pushed(task: Task, message: str, output: str) -> None:
    """Show why a remote did not take the push."""
    with transaction():
        told = [Draft(Kind.STDERR, output)] if output else []
        timeline.append(task.number, [*told, Draft(Kind.ERROR, message)])


def last_push(task: Task, remote: str, branch: str) -> str | None:
    """The commit the task pushed last to this branch, None for the first time."""
    rows = Command.select().where(
        Command.task == task.number, Command.kind == CommandKind.PUSH, Command.result.is_null(False)
    )
    for row in rows.order_by(INSERTED.desc()):
        done = dict(row.result or {}).get("pushed") or {}
        if (done.get("remote"), done.get("branch")) == (remote, branch):
            return str(done["commit_oid"])
    return None


def unfinished_landing(task: Task) -> Landing | None:
    """A landing that was begun and neither went through nor was refused: a crash lies in between."""
    query = Landing.select().where(Landing.task == task.number, Landing.finished_at.is_null())
    return query.order_by(INSERTED.desc()).first()


def last_landing(task: Task) -> Landing | None:
    """The newest landing of a task that went through and stands, or is just being undone."""
    query = Landing.select().where(Landing.task == task.number, Landing.state.in_(("landed", "undoing")))
    return query.order_by(INSERTED.desc()).first()
