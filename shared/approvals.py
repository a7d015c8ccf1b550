"""An agent's questions as durable rows: asked, decided by one winner, delivered, confirmed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from peewee import fn

from shared import audit, commands, fleet, policy, timeline
from shared.audit import Act, Actor
from shared.clock import now, to_micros
from shared.commands import CommandKind
from shared.errors import Conflict, NotFound, WrongShape
from shared.events import Category, Draft, Kind
from shared.policy import grants
from shared.policy.tool_rules import Rule
from shared.secrets.redaction import MASK
from shared.store.database import transaction
from shared.store.models import INSERTED, Approval, Attempt, Task

DECISIONS = {"allow": "allowed", "deny": "denied"}
ANSWERED = ("allowed", "denied", "expired")
SCOPES = ("once", "task")
#: `decided_by` in the audit log's words, where no person decided.
ACTORS = {"policy": Actor.RULE, "timeout": Actor.TIMEOUT}
#: Requests that expire in one transaction; the rest a second later.
MOST_AT_ONCE = 100


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
    tool_use_id: str | None = None


@dataclass(frozen=True)
class Verdict:
    """A rule's own answer to a question, so that no person is asked."""

    decision: str
    rule: str
    note: str | None = None


def ask(attempt_id: str, task_number: int, question: Question, verdict: Verdict | None = None) -> Approval:
    """Record a question inside the caller's transaction; asked again after a re-attach it is the same row.

    With a `verdict`, or by a rule a person granted meanwhile, it is decided at once, and delivering the answer is
    a command like any other.
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
        tool=question.tool,
        title=question.title,
        command=question.command,
        input=dict(question.input),
        cwd=question.cwd,
        risk=list(question.risk),
        choices=[dict(choice) for choice in question.choices],
        tool_use_id=question.tool_use_id,
        created_at=at,
    )
    task = Task.get_by_id(task_number)
    verdict = verdict or _by_rule(task, row)
    if verdict is None:
        _set_expiry(task, row, at)
    else:
        _answer(task, row, DECISIONS[verdict.decision], by="policy", rule=verdict.rule, note=verdict.note)
    if verdict is None or verdict.decision == "deny":
        asked = {"category": Category.APPROVAL_REQUEST, "approval_id": row.id, "tool": question.tool}
        timeline.append(task_number, [Draft(Kind.LIFECYCLE, question.title, asked)], attempt_id)
    return Approval.get_by_id(row.id)


def _by_rule(task: Task, row: Approval) -> Verdict | None:
    """What a granted rule says of a request that came as it was granted."""
    found = grants.decision(task, row) if task.granted_rules else None
    return None if found is None or found.action == "ask" else Verdict(found.action, str(found), found.reason)


def _set_expiry(task: Task, row: Approval, at: datetime) -> None:
    minutes = policy.in_force(task).approval_minutes
    if minutes:
        expires_at = at + timedelta(minutes=minutes)
        Approval.update(expires_at=expires_at).where(Approval.id == row.id).execute()


def _answer(task: Task, row: Approval, status: str, *, by: str, **fields: Any) -> bool:
    """Decide a pending request and have its answer delivered; False when somebody else was faster."""
    won = (
        Approval.update(status=status, decided_by=by, decided_at=now(), **fields)
        .where(Approval.id == row.id, Approval.status == "pending")
        .execute()
    )
    if won:
        audit.record(
            Act.DECIDE,
            "approval",
            row.id,
            task_id=task.id,
            actor=ACTORS.get(by),
            attempt=row.attempt,
            decision=status,
            tool=row.tool,
            command=row.command,
            rule=fields.get("rule"),
            scope=fields.get("scope"),
            note=fields.get("note"),
            edited=True if fields.get("updated_input") else None,
        )
        commands.accept(task, CommandKind.DECIDE, {"approval": row.id}, Attempt.get_by_id(row.attempt))
    return bool(won)


def _say(task: Task, row: Approval, text: str, decision: str, by: str) -> None:
    about = {
        "category": Category.APPROVAL_DECISION,
        "approval_id": row.id,
        "decision": decision,
        "decided_by": by,
    }
    kind = Kind.INPUT if by == "owner" else Kind.LIFECYCLE
    timeline.append(task.number, [Draft(kind, text, about)], row.attempt)


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
    """Answer a question; one winner. Raises Conflict for a late or second decision, NotFound, WrongShape.

    Allowed for the whole task it also grants the rule that `grants.suggestion` names, which decides other
    requests that wait and those to come.
    """
    if decision not in DECISIONS:
        raise WrongShape(f"A decision is allow or deny, not {decision!r}.", field="decision")
    if scope not in SCOPES:
        raise WrongShape(f"A scope is once or task, not {scope!r}.", field="scope")
    with transaction():
        row = Approval.get_or_none(Approval.id == approval_id, Approval.task == task.number)
        if row is None:
            raise NotFound("The task has no such approval request.")
        _refuse_masks(row, updated_input)
        edited = dict(updated_input) if updated_input is not None else None
        if not _answer(task, row, DECISIONS[decision], scope=scope, note=note, updated_input=edited, by=by):
            raise Conflict(f"This request is already {row.status}.")
        if edited and not row.choices and not can_edit(task):
            raise WrongShape(
                f"{task.runner} runs only what it asked for; deny it with a reason instead.",
                field="updated_input",
            )
        changed = " with an edited input" if edited and not row.choices else ""
        said = f": {note}" if note else ""
        text = f"{DECISIONS[decision].capitalize()} {row.tool}{changed}{said}"
        _say(task, row, text, decision, by)
        if decision == "allow" and scope == "task":
            _grant_for(task, row, edited)
    return Approval.get_by_id(approval_id)


def _refuse_masks(row: Approval, updated_input: Mapping[str, Any] | None) -> None:
    """A mask would reach the agent as text; only whole texts of its own question are turned back by its shim."""
    asked = {text for choice in row.choices for text in _texts(choice)}
    if any(MASK in text and text not in asked for text in _texts(updated_input)):
        raise WrongShape("An edited input must not contain a redaction mask.", field="updated_input")


def _texts(value: Any) -> Iterator[str]:
    """Every text in a JSON value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield name
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def can_edit(task: Task) -> bool:
    """Whether this task's agent takes an input that a person changed, by its published `edits`."""
    known = fleet.runner(task.runner)
    told = (known.capabilities or {}).get("edits") if known else None
    return bool(task.runner != "codex" if told is None else told)


def _grant_for(task: Task, row: Approval, edited: Mapping[str, Any] | None) -> None:
    rule = grants.suggestion(row, edited)
    if rule is None:
        raise WrongShape("No rule can be made of this request; allow it once.", field="scope")
    grant(task, rule)


def grant(task: Task, rule: Mapping[str, Any]) -> Rule:
    """Add a rule to a task; requests that wait and that it covers are decided with it.

    An agent that was started without any rule that asks is told to ask, as soon as its program can.
    """
    with transaction():
        made = grants.add(task, rule)
        attempt = Attempt.get_or_none(Attempt.id == Task.get_by_id(task.number).live_attempt)
        if made["action"] != "allow" and attempt is not None and attempt.runner != "shell":
            commands.accept(task, CommandKind.MODE, {"mode": "ask"}, attempt)
        for row in of(task, "pending"):
            found = grants.decision(task, row)
            if found.action != "ask" and _answer(
                task, row, DECISIONS[found.action], by="policy", rule=str(found), note=found.reason
            ):
                text = f"{DECISIONS[found.action].capitalize()} {row.tool}: {found}"
                _say(task, row, text, found.action, "policy")
        return made


def expire_due() -> int:
    """Deny every request whose time is over, and interrupt the turns that asked; returns how many there were."""
    overdue = (Approval.status == "pending") & (Approval.expires_at <= now())
    if not Approval.select(Approval.id).where(overdue).exists():
        return 0
    with transaction():
        expired = [row for row in Approval.select().where(overdue).limit(MOST_AT_ONCE) if _expire(row)]
        for attempt in {row.attempt: row for row in expired}.values():
            commands.accept(attempt.task, CommandKind.INTERRUPT, {}, Attempt.get_by_id(attempt.attempt))
    return len(expired)


def _expire(row: Approval) -> bool:
    minutes = round((row.expires_at - row.created_at).total_seconds() / 60)
    note = f"Nobody answered in {minutes} minute{'' if minutes == 1 else 's'}."
    won = _answer(row.task, row, "expired", by="timeout", note=note)
    if won:
        _say(row.task, row, f"{note} {row.tool} was denied and the turn interrupted.", "deny", "timeout")
    return won


def confirm(attempt_id: str, tool_use_ids: Collection[str]) -> None:
    """The agent went on with these tool calls: the answers about them arrived."""
    if not tool_use_ids:
        return
    at = now()
    with transaction():
        Approval.update(
            confirmed_at=at, delivered_at=fn.coalesce(Approval.delivered_at, to_micros(at))
        ).where(
            Approval.attempt == attempt_id,
            Approval.tool_use_id.in_(list(tool_use_ids)),
            Approval.status.in_(ANSWERED),
            Approval.confirmed_at.is_null(),
        ).execute()


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


def cancel_for(attempt_id: str) -> None:
    """Nobody needs to answer an attempt that has ended; inside the caller's transaction."""
    Approval.update(status="cancelled", decided_at=now()).where(
        Approval.attempt == attempt_id, Approval.status == "pending"
    ).execute()
