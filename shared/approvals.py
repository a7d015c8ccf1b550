"""An agent's questions as durable rows: asked, decided by one winner, delivered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from shared import commands, timeline
from shared.clock import now
from shared.commands import CommandKind
from shared.errors import Conflict, NotFound, WrongShape
from shared.events import Category, Draft, Kind
from shared.redaction import MASK
from shared.store.database import transaction
from shared.store.models import INSERTED, Approval, Attempt, Task

DECISIONS = {"allow": "allowed", "deny": "denied"}


@dataclass(frozen=True)
class Question:
    """What an agent asks before it goes on; `request` is the id its own protocol gave the question."""

    request: str
    tool: str
    title: str
    command: str | None = None
    input: Mapping[str, Any] = field(default_factory=dict)
    cwd: str | None = None
    risk: tuple[str, ...] = ()
    choices: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Verdict:
    """A rule's own answer to a question, so that no person is asked."""

    decision: str
    rule: str
    note: str | None = None


def ask(attempt_id: str, task_number: int, question: Question, verdict: Verdict | None = None) -> Approval:
    """Record a question inside the caller's transaction; asked again after a re-attach it is the same row.

    With a `verdict` it is decided at once, and delivering the answer is a command like any other.
    """
    known = Approval.get_or_none(Approval.attempt == attempt_id, Approval.request == question.request)
    if known is not None:
        return known
    at = now()
    row = Approval.create(
        id=str(uuid4()),
        task=task_number,
        attempt=attempt_id,
        request=question.request,
        status=DECISIONS[verdict.decision] if verdict else "pending",
        tool=question.tool,
        title=question.title,
        command=question.command,
        input=dict(question.input),
        cwd=question.cwd,
        risk=list(question.risk),
        rule=verdict.rule if verdict else None,
        choices=[dict(choice) for choice in question.choices],
        note=verdict.note if verdict else None,
        decided_by="policy" if verdict else None,
        decided_at=at if verdict else None,
        created_at=at,
    )
    if verdict:
        commands.accept(
            Task.get_by_id(task_number),
            CommandKind.DECIDE,
            {"approval": row.id},
            Attempt.get_by_id(attempt_id),
        )
    if verdict is None or verdict.decision == "deny":
        asked = {"category": Category.APPROVAL_REQUEST, "approval_id": row.id, "tool": question.tool}
        timeline.append(task_number, [Draft(Kind.LIFECYCLE, question.title, asked)], attempt_id)
    return row


def decide(
    task: Task,
    approval_id: str,
    decision: str,
    *,
    scope: str = "once",
    note: str | None = None,
    updated_input: Mapping[str, Any] | None = None,
    by: str = "owner",
) -> Approval:
    """Answer a question; one winner. Raises Conflict for a late or second decision, NotFound, WrongShape."""
    if decision not in DECISIONS:
        raise WrongShape(f"A decision is allow or deny, not {decision!r}.", field="decision")
    if updated_input is not None and MASK in repr(updated_input):
        raise WrongShape("An edited input must not contain a redaction mask.", field="updated_input")
    with transaction():
        row = Approval.get_or_none(Approval.id == approval_id, Approval.task == task.number)
        if row is None:
            raise NotFound("The task has no such approval request.")
        won = (
            Approval.update(
                status=DECISIONS[decision],
                scope=scope,
                note=note,
                updated_input=dict(updated_input) if updated_input is not None else None,
                decided_by=by,
                decided_at=now(),
            )
            .where(Approval.id == approval_id, Approval.status == "pending")
            .execute()
        )
        if not won:
            raise Conflict(f"This request is already {row.status}.")
        attempt = Attempt.get_by_id(row.attempt)
        decided = {"category": Category.APPROVAL_DECISION, "approval_id": row.id, "decision": decision}
        said = f": {note}" if note else ""
        timeline.append(
            task.number,
            [Draft(Kind.INPUT, f"{DECISIONS[decision].capitalize()} {row.tool}{said}", decided)],
            attempt.id,
        )
        commands.accept(task, CommandKind.DECIDE, {"approval": row.id}, attempt)
    return Approval.get_by_id(approval_id)


def of(task: Task, status: str | None = None) -> list[Approval]:
    """A task's requests, oldest first."""
    query = Approval.select().where(Approval.task == task.number)
    if status:
        query = query.where(Approval.status == status)
    return list(query.order_by(INSERTED))


def pending_of(attempt_id: str) -> list[Approval]:
    return list(Approval.select().where(Approval.attempt == attempt_id, Approval.status == "pending"))


def get(approval_id: str) -> Approval:
    return Approval.get_by_id(approval_id)


def delivered(approval_id: str) -> None:
    with transaction():
        Approval.update(delivered_at=now()).where(Approval.id == approval_id).execute()


def withdraw(attempt_id: str, request: str) -> None:
    """The agent took its question back."""
    with transaction():
        Approval.update(status="cancelled", decided_at=now()).where(
            Approval.attempt == attempt_id, Approval.request == request, Approval.status == "pending"
        ).execute()
