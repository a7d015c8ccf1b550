"""What a worker does with an attempt: claim it, record its progress, end it. Every write carries its epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared import approvals, audit, commands, followups, tasks, timeline
from shared.agents import trust
from shared.approvals import Question, Verdict
from shared.audit import Act
from shared.clock import now, to_micros
from shared.commands import CommandKind
from shared.costs import ledger
from shared.costs.spending import Spending
from shared.doorbell import Bell, ring
from shared.events import Category, Draft, Kind
from shared.lifecycle import LIVE, Status, StopReason, sources
from shared.review import turns
from shared.store.database import raw, transaction
from shared.store.models import Attempt, Command, Task

#: How often an attempt whose agent never started is tried again by itself (reliability P4).
CLAIMS = 3
CLAIM = """
UPDATE attempt SET status = 'running', worker = :worker, epoch = epoch + 1, claims = claims + 1,
       started_at = coalesce(started_at, :at)
WHERE id = (SELECT id FROM attempt INDEXED BY attempt_queue WHERE status = 'queued' AND finished_at IS NULL
            ORDER BY priority DESC, rowid LIMIT 1)
  AND (SELECT count(*) FROM attempt WHERE status = 'running' AND finished_at IS NULL) < :capacity
RETURNING id
"""


@dataclass(frozen=True)
class Ending:
    """How an attempt ended, as its supervision saw it; `capture` is of what it left, where that was captured."""

    status: Status
    exit_status: str | None = None
    exit_code: int | None = None
    signal: int | None = None
    stop_reason: str | None = None
    blocked_reason: str | None = None
    summary: str | None = None
    runtime_millis: int = 0
    drafts: Sequence[Draft] = ()
    #: How the last turn ended in the agent's own terms, and when a usage limit is lifted.
    outcome: str | None = None
    limit_resets_at: datetime | None = None
    capture: str | None = None


@dataclass
class Progress:
    """What one attempt adds to a batch: events, and the log offset they came from, in one transaction."""

    attempt_id: str
    task_number: int
    epoch: int
    log_offset: int
    reader_state: str | None = None
    runner_state: str | None = None
    drafts: list[Draft] = field(default_factory=list)
    status: Status | None = None
    hindrance: str | None = None
    session_id: str | None = None
    cost: Spending | Mapping[str, int] | None = None
    #: Whether the agent has ended its turn and nothing it started still runs.
    at_rest: bool = False
    questions: list[tuple[Question, Verdict | None]] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    #: Calls whose result was seen: whoever asked for one has gone on.
    results: list[str] = field(default_factory=list)


def claim_next(worker: str, capacity: int) -> Attempt | None:
    """Claim the next queued attempt by priority, then age; None when none waits or every slot is taken.

    `capacity` counts running attempts of the whole host; one that waits for a person holds no slot.
    """
    with transaction():
        row = (
            raw().execute(CLAIM, {"worker": worker, "capacity": capacity, "at": to_micros(now())}).fetchone()
        )
        if row is None:
            return None
        attempt = Attempt.get_by_id(row[0])
        Task.update(status=Status.RUNNING, updated_at=now()).where(Task.number == attempt.task_id).execute()
        ring(Bell.CHANGE)
        return attempt


def owned(attempt: Attempt) -> Any:
    """The guard of every write of a claim holder: same epoch, not ended."""
    return (Attempt.id == attempt.id) & (Attempt.epoch == attempt.epoch) & Attempt.finished_at.is_null()


def release(attempt: Attempt, reason: str) -> bool:
    """Give back an attempt whose agent never started; after the third claim it fails, after a stop it is stopped."""
    with transaction():
        if stop_of(attempt) is not None:
            return stopped_before_start(attempt)
        if attempt.claims >= CLAIMS:
            return start_failed(attempt, reason)
        freed = Attempt.update(status=Status.QUEUED, worker=None).where(owned(attempt)).execute()
        if freed:
            Task.update(status=Status.QUEUED, updated_at=now()).where(
                Task.number == attempt.task_id
            ).execute()
            ring(Bell.ATTEMPT, attempt.id)
        return bool(freed)


def adopt(attempt: Attempt, worker: str) -> Attempt | None:
    """Take over the attempt of a dead worker; None when another one was faster."""
    with transaction():
        taken = (
            Attempt.update(worker=worker, epoch=Attempt.epoch + 1)
            .where(owned(attempt), Attempt.worker == attempt.worker)
            .execute()
        )
        return Attempt.get_by_id(attempt.id) if taken else None


def claimed() -> list[Attempt]:
    """Every attempt some worker holds."""
    return list(Attempt.select().where(Attempt.status.in_(list(LIVE)), Attempt.finished_at.is_null()))


def reload(attempt: Attempt) -> Attempt:
    """The attempt as it stands in the store now."""
    return Attempt.get_by_id(attempt.id)


def commit_start(
    attempt: Attempt,
    identity: Mapping[str, Any],
    drafts: Sequence[Draft],
    *,
    session_id: str | None,
    report: Mapping[str, Any],
) -> bool:
    """Record the shim before its agent may start; False when the claim is lost or a stop came first."""
    with transaction():
        if stop_of(attempt) is not None:
            return False
        values = {"identity": dict(identity), "runner_session_id": session_id or attempt.runner_session_id}
        if not Attempt.update(**values).where(owned(attempt)).execute():
            return False
        told = {"runner_session_id": values["runner_session_id"]} if values["runner_session_id"] else {}
        Task.update(policy_report=dict(report), **told).where(Task.number == attempt.task_id).execute()
        timeline.append(attempt.task_id, drafts, attempt.id)
        return True


def stop_of(attempt: Attempt) -> Command | None:
    """The stop that somebody asked for and that is not applied yet."""
    return Command.get_or_none(
        Command.attempt == attempt.id, Command.kind == CommandKind.STOP, Command.finished_at.is_null()
    )


def place(attempt: Attempt, drafts: Sequence[Draft], **fields: Any) -> bool:
    """Record where the attempt runs (worktree, execution workspace, branch …) on its task; False when its claim is lost."""
    with transaction():
        values = {"execution_workspace": fields.get("execution_workspace")}
        if not Attempt.update(**values).where(owned(attempt)).execute():
            return False
        Task.update(updated_at=now(), **fields).where(Task.number == attempt.task_id).execute()
        timeline.append(attempt.task_id, drafts, attempt.id)
        return True


def suspect(attempt: Attempt) -> None:
    """Remember that git's configuration or hooks changed during the attempt: what was before stays what counts."""
    with transaction():
        if Attempt.select(Attempt.id).where(owned(attempt)).exists():
            known = Task.get_by_id(attempt.task_id).worktree or {}
            Task.update(worktree={**known, "tampered": True}).where(Task.number == attempt.task_id).execute()


def note(attempt: Attempt, drafts: Sequence[Draft]) -> bool:
    """Add events to the attempt's timeline; False when its claim is lost."""
    with transaction():
        if not Attempt.select(Attempt.id).where(owned(attempt)).exists():
            return False
        timeline.append(attempt.task_id, drafts, attempt.id)
        return True


def record(batch: Sequence[Progress]) -> set[str]:
    """Commit a batch of progress in one transaction; returns the ids whose claim is lost (fenced)."""
    fenced: set[str] = set()
    with transaction():
        connection = raw()
        for item in batch:
            changed = connection.execute(
                "UPDATE attempt SET log_offset = ?, reader_state = ?, runner_state = coalesce(?, runner_state),"
                " status = coalesce(?, status), runner_session_id = coalesce(?, runner_session_id), hindrance = ?"
                " WHERE id = ? AND epoch = ? AND finished_at IS NULL",
                (
                    item.log_offset,
                    item.reader_state,
                    item.runner_state,
                    item.status,
                    item.session_id,
                    item.hindrance,
                    item.attempt_id,
                    item.epoch,
                ),
            ).rowcount
            if not changed:
                fenced.add(item.attempt_id)
                continue
            if item.status or item.session_id:
                connection.execute(
                    "UPDATE task SET status = coalesce(?, status), runner_session_id = coalesce(?, runner_session_id),"
                    " updated_at = max(updated_at, ?) WHERE number = ?",
                    (item.status, item.session_id, to_micros(now()), item.task_number),
                )
            if item.cost is not None:
                ledger.record(item.attempt_id, item.task_number, item.cost)
            timeline.append(item.task_number, item.drafts, item.attempt_id)
            if item.at_rest:
                followups.answered(item.attempt_id)
            if item.cost is not None:
                _mind_budget(item)
            for question, verdict in item.questions:
                approvals.ask(item.attempt_id, item.task_number, question, verdict)
            approvals.confirm(item.attempt_id, item.results)
            for request in item.withdrawn:
                approvals.withdraw(item.attempt_id, request)
            if item.status is Status.NEEDS_INPUT:
                ring(Bell.ATTEMPT)
    return fenced


def _mind_budget(item: Progress) -> None:
    """Stop an agent that goes on working over its task's cost budget, with the reason in the timeline.

    One that has ended its turn has nothing left to spend and ends as it is, unless somebody has said more.
    """
    task = Task.get_by_id(item.task_number)
    said = ledger.over_budget(task)
    if said is None or (item.at_rest and not _has(item.attempt_id, CommandKind.REPLY, is_open=True)):
        return
    if not _has(item.attempt_id, CommandKind.STOP, is_open=False):
        tasks.request_stop(task, StopReason.BUDGET)
        about = {"category": Category.POLICY, "attempt_id": item.attempt_id, "field": "budget_cents"}
        timeline.append(item.task_number, [Draft(Kind.LIFECYCLE, f"{said} The agent is stopped.", about)])


def _has(attempt_id: str, kind: CommandKind, *, is_open: bool) -> bool:
    rows = Command.select().where(Command.attempt == attempt_id, Command.kind == kind)
    return bool((rows.where(Command.finished_at.is_null()) if is_open else rows).exists())


def finish(attempt: Attempt, ending: Ending) -> bool:
    """End an attempt, with its last events, in one transaction; False when the claim is lost.

    A stop that was accepted is applied by it; other steering commands expire, pending approvals are cancelled.
    Replies the agent never took are set aside to resume its session, except after a stop.
    """
    with transaction():
        ended = (
            Attempt.update(
                status=ending.status,
                exit_status=ending.exit_status,
                exit_code=ending.exit_code,
                signal=ending.signal,
                stop_reason=ending.stop_reason,
                blocked_reason=ending.blocked_reason,
                summary=ending.summary,
                runtime_millis=ending.runtime_millis,
                outcome=ending.outcome,
                limit_resets_at=ending.limit_resets_at,
                hindrance=None,
                finished_at=now(),
            )
            .where(owned(attempt))
            .execute()
        )
        if not ended:
            return False
        timeline.append(attempt.task_id, ending.drafts, attempt.id)
        turns.end(attempt, ending.capture)
        if ending.stop_reason == StopReason.BUDGET:
            _record_budget_stop(attempt, ending)
        if ending.status is not Status.STOPPED:
            followups.answered(attempt.id)
        Task.update(
            status=ending.status, stop_reason=ending.stop_reason, live_attempt=None, updated_at=now()
        ).where(
            Task.number == attempt.task_id,
            Task.status.in_(sources(ending.status)),
            Task.live_attempt == attempt.id,
        ).execute()
        ledger.sum_up(attempt.task_id)
        Command.update(state=commands.State.APPLIED, result={}, finished_at=now()).where(
            Command.attempt == attempt.id, Command.kind == CommandKind.STOP, Command.finished_at.is_null()
        ).execute()
        if ending.status is not Status.STOPPED:
            commands.set_aside_replies(attempt)
        commands.expire_for(attempt.id)
        approvals.cancel_for(attempt.id)
        ring(Bell.ATTEMPT)
        return True


def _record_budget_stop(attempt: Attempt, ending: Ending) -> None:
    about = {"task_id": Task.get_by_id(attempt.task_id).id, "runtime_millis": ending.runtime_millis}
    audit.record(Act.BUDGET_STOP, "attempt", attempt.id, **about)


def start_failed(attempt: Attempt, reason: str) -> bool:
    """End an attempt whose agent could not be started, with the reason in plain words."""
    failed = {
        "category": Category.ATTEMPT_START_FAILED,
        "attempt_id": attempt.id,
        "attempt_number": attempt.attempt_number,
        "error": reason,
    }
    draft = Draft(Kind.ERROR, f"The attempt could not start: {reason}", failed)
    return finish(attempt, Ending(Status.FAILED, blocked_reason=reason, summary=reason, drafts=[draft]))


def needs_trust(attempt: Attempt) -> None:
    """End an attempt whose agent the repository would configure without anybody's trust; the task asks for it."""
    task = Task.get_by_id(attempt.task_id)
    refusal = trust.refusal(task)
    with transaction():
        if refusal is not None and start_failed(attempt, refusal.detail):
            Task.update(status=Status.NEEDS_INPUT).where(
                Task.number == task.number, Task.live_attempt.is_null()
            ).execute()


def stopped_before_start(attempt: Attempt) -> bool:
    """End an attempt that a stop reached before its agent started."""
    command = stop_of(attempt)
    reason = command.body.get("reason", StopReason.USER) if command else StopReason.USER
    stopped = {"category": Category.ATTEMPT_STOPPED, "attempt_id": attempt.id, "reason": reason}
    draft = Draft(Kind.LIFECYCLE, "Stopped before it started", stopped)
    return finish(attempt, Ending(Status.STOPPED, stop_reason=reason, drafts=[draft]))
