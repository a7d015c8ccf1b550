"""What a person does with a task once it is created: approve, start, steer, stop.

Each verb is one guarded UPDATE with its events and its command in one transaction (rule 2); what a worker does
with an attempt stands in `shared.attempts`, landing and cleanup in `shared.review.landings`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

from shared import approvals, audit, backlog, commands, fleet, policy, readiness, timeline, workspaces
from shared.agents import trust
from shared.audit import Act
from shared.clock import now
from shared.commands import CommandKind
from shared.doorbell import Bell, ring
from shared.errors import BadRequest, Conflict, NotFound, PolicyViolation, Refused
from shared.events import Category, Draft, Kind
from shared.lifecycle import ENDED, LIVE, Status, StopReason
from shared.policy import Policy, findings
from shared.secrets import keeping
from shared.store.database import transaction
from shared.store.models import Attempt, Command, Task, json_text


def get(task_id: str) -> Task:
    """The task with this UUID; raises BadRequest for a malformed id, NotFound for an unknown one."""
    try:
        wanted = str(UUID(task_id))
    except ValueError:
        raise BadRequest(f"The id {task_id!r} is not a UUID.") from None
    task = Task.get_or_none(Task.id == wanted)
    if task is None:
        raise NotFound("Task not found.")
    return task


def policy_of(task: Task) -> Policy:
    """The frozen policy once there is one, else the task's own."""
    return policy.in_force(task)


def is_approved(task: Task) -> bool:
    """Whether the start gate is open: an approval covers the next start, not those after it."""
    number = _next_number(task)
    #: An approval that was imported, or given before they were bound, names the attempt only.
    return task.approved_attempt == number and task.approved_hash in (None, _start_hash(task, number))


def _start_hash(task: Task, number: int) -> str:
    """What an approval is bound to: the policy that would hold, what would run, and which attempt it is."""
    about = [
        policy.from_json(_to_freeze(task)).digest(),
        task.runner,
        task.command,
        task.prompt,
        task.options,
        number,
    ]
    return hashlib.sha256(json_text(about).encode()).hexdigest()


def is_gated(task: Task) -> bool:
    """Whether a person must approve before the next start."""
    return policy_of(task).require_approval and task.live_attempt is None and task.status not in ENDED


def approve(task: Task, note: str | None, policy_hash: str | None = None) -> Task:
    """Open the start gate; repeatable until the start. Raises Conflict when there is no gate.

    Also when `policy_hash`, of the policy that was looked at, is not that of the task any more.
    """
    with transaction():
        task = get(task.id)
        if not is_gated(task):
            raise Conflict("The task does not wait for an approval to start.")
        if policy_hash is not None and policy_hash != policy_of(task).digest():
            raise Conflict("The policy is another one by now; look at it again.")
        number = _next_number(task)
        opened = {
            "approved_at": now(),
            "approved_attempt": number,
            "approved_hash": _start_hash(task, number),
        }
        Task.update(opened).where(Task.number == task.number).execute()
        said = f": {note.strip()}" if note and note.strip() else ""
        timeline.append(task.number, [Draft(Kind.INPUT, f"Approved to start{said}")])
        audit.record(
            Act.APPROVE_START,
            "task",
            task.id,
            attempt_number=number,
            approved_hash=opened["approved_hash"],
            note=note,
        )
    return get(task.id)


def request_start(task: Task, *, resume: bool = False, message: str | None = None) -> Attempt:
    """Queue a new attempt. Raises Conflict over a live one, NotReady when something must be granted or fixed."""
    refusal: Refused | None = None
    with transaction():
        task = get(task.id)
        if task.live_attempt is not None:
            raise Conflict("The task is already running or queued.")
        for work in commands.open_work(task):
            if work.kind in commands.EXCLUSIVE:
                raise Conflict(f"A {work.kind} of the task is under way; start it when that is done.")
        _freeze(task)
        refusal = readiness.objection(task, is_approved=is_approved(task), resume=resume)
        if refusal is None:
            return _queue_attempt(task, resume=resume, message=message)
        _record_refusal(task, refusal)
    raise refusal


def _freeze(task: Task) -> None:
    """The policy a task starts under first is the one it keeps."""
    if task.effective_policy is None:
        task.effective_policy = _to_freeze(task)
        Task.update(effective_policy=task.effective_policy).where(Task.number == task.number).execute()
        timeline.append(task.number, [Draft(Kind.LIFECYCLE, "Effective policy frozen")])


def _to_freeze(task: Task) -> Mapping[str, Any]:
    """The policy once it is frozen, or as it would be now."""
    if task.effective_policy is not None:
        return dict(task.effective_policy)
    return policy.with_workspace_rules(
        task.policy, workspaces.defaults_for(task.workspace).get("tool_rules") or []
    )


def _record_refusal(task: Task, refusal: Refused) -> None:
    """A task that waits for its gate, or for trust, says so; other refusals leave its state alone."""
    timeline.append(task.number, [Draft(Kind.ERROR, f"Start refused: {refusal.detail}")])
    audit.record(Act.START_REFUSED, "task", task.id, reason=refusal.detail)
    if (policy_of(task).require_approval and not is_approved(task)) or trust.waiting(task):
        Task.update(status=Status.NEEDS_INPUT).where(
            Task.number == task.number, Task.live_attempt.is_null()
        ).execute()


def _queue_attempt(task: Task, *, resume: bool, message: str | None) -> Attempt:
    backlog.require_room()
    attempt = Attempt.create(
        id=str(uuid4()),
        task=task.number,
        attempt_number=_next_number(task),
        priority=task.priority,
        runner=task.runner,
        status=Status.QUEUED,
        resume=resume,
        message=message,
        runner_session_id=task.runner_session_id if resume else None,
        queued_at=now(),
    )
    moved = (
        Task.update(status=Status.QUEUED, stop_reason=None, live_attempt=attempt.id, updated_at=now())
        .where(Task.number == task.number, Task.live_attempt.is_null())
        .execute()
    )
    if not moved:
        raise Conflict("The task is already running or queued.")
    audit.record(
        Act.START,
        "attempt",
        attempt.id,
        task_id=task.id,
        attempt_number=attempt.attempt_number,
        resume=resume,
        characters=None if message is None else len(message),
        policy_hash=policy_of(task).digest(),
        granted=keeping.granted_names(task) or None,
    )
    if message:
        timeline.append(task.number, _findings(task, message), attempt.id)
    ring(Bell.ATTEMPT, attempt.id)
    return attempt


def _next_number(task: Task) -> int:
    return int(Attempt.select().where(Attempt.task == task.number).count()) + 1


def request_stop(task: Task, reason: StopReason = StopReason.USER) -> Command | None:
    """Stop a task: at once when nothing runs yet, else by a command to its attempt; None when it is done already.

    Raises Conflict for a task that has ended otherwise than stopped.
    """
    with transaction():
        task = get(task.id)
        if task.live_attempt is None:
            if task.status == Status.STOPPED:
                return None
            if task.status in ENDED:
                raise Conflict(f"The task is {task.status}; there is nothing to stop.")
            _stop_unstarted(task, reason)
            return None
        attempt = Attempt.get_by_id(task.live_attempt)
        if attempt.status == Status.QUEUED and attempt.worker is None:
            _stop_queued(task, attempt, reason)
            return None
        open_stop = Command.get_or_none(
            Command.attempt == attempt.id, Command.kind == CommandKind.STOP, Command.finished_at.is_null()
        )
        return open_stop or commands.accept(task, CommandKind.STOP, {"reason": reason}, attempt)


def _stop_unstarted(task: Task, reason: StopReason) -> None:
    Task.update(status=Status.STOPPED, stop_reason=reason).where(
        Task.number == task.number, Task.live_attempt.is_null()
    ).execute()
    stopped = {"category": Category.ATTEMPT_STOPPED, "attempt_id": None, "reason": reason}
    timeline.append(task.number, [Draft(Kind.LIFECYCLE, "Stopped before it started", stopped)])
    audit.record(Act.STOP, "task", task.id, reason=reason)


def _stop_queued(task: Task, attempt: Attempt, reason: StopReason) -> None:
    Attempt.update(status=Status.STOPPED, stop_reason=reason, finished_at=now()).where(
        Attempt.id == attempt.id
    ).execute()
    Task.update(status=Status.STOPPED, stop_reason=reason, live_attempt=None).where(
        Task.number == task.number
    ).execute()
    commands.expire_for(attempt.id)
    approvals.cancel_for(attempt.id)
    stopped = {"category": Category.ATTEMPT_STOPPED, "attempt_id": attempt.id, "reason": reason}
    timeline.append(task.number, [Draft(Kind.LIFECYCLE, "Stopped before it started", stopped)], attempt.id)
    audit.record(Act.STOP, "task", task.id, attempt=attempt.id, reason=reason)


def request_reply(task: Task, message: str, mode: str | None) -> Command | Attempt:
    """Hand text to the live agent, or resume its session with it; raises Conflict where neither can be."""
    text = message.strip()
    _refuse_reply(task, text)
    with transaction():
        task = get(task.id)
        if task.live_attempt is not None:
            attempt = Attempt.get_by_id(task.live_attempt)
            timeline.append(task.number, _findings(task, text), attempt.id)
            when = mode if _takes_words(task) else "queue"
            return commands.accept(task, CommandKind.REPLY, {"message": text, "mode": when}, attempt)
    if task.status not in ENDED and not (task.status is Status.NEEDS_INPUT and task.runner_session_id):
        raise Conflict("The task is not running; start it first.")
    if task.runner == "shell":
        raise Conflict("The shell has ended; start the task again to run its command anew.")
    if not task.runner_session_id:
        raise Conflict("There is no agent session to reply to; start the task again.")
    return request_start(task, resume=True, message=text)


def _refuse_reply(task: Task, text: str) -> None:
    """What a shell reads may be a command: it passes the rules its own command passed. Raises PolicyViolation."""
    if task.runner != "shell":
        return
    found = policy.evaluate(policy_of(task), command=text, workspace=task.workspace)
    if found:
        audit.record(Act.REPLY_REFUSED, "task", task.id, rule=found[0].rule, reason=found[0].message)
        raise PolicyViolation(found[0].message, findings=[vars(one) for one in found])


def _findings(task: Task, text: str) -> list[Draft]:
    return [] if task.runner == "shell" else findings.drafts(policy_of(task), text, "the reply")


def _takes_words(task: Task) -> bool:
    """Whether the agent takes a message while it works; else it waits for the end of the turn."""
    known = fleet.runner(task.runner)
    return task.options.get("mode") != "oneshot" and (
        task.runner == "shell" or known is None or (known.capabilities or {}).get("reply", "live") == "live"
    )


def request_steering(task: Task, kind: CommandKind, **body: str) -> Command:
    """Interrupt the agent, change its mode, or close its input; raises Conflict when nothing is live."""
    with transaction():
        task = get(task.id)
        if task.live_attempt is None or task.status not in LIVE:
            raise Conflict(f"The task is {task.status}; nothing is running.")
        return commands.accept(task, kind, body, Attempt.get_by_id(task.live_attempt))


def interrupt_all() -> list[Command]:
    """Commit a stop for every attempt, running or queued (contract 2, Ctrl-C); returns those a worker must apply."""
    stops = []
    for task in list(Task.select().where(Task.live_attempt.is_null(False))):
        with suppress(Refused):  # it ended, or was deleted, in between
            stops.append(request_stop(task, StopReason.INTERRUPTED))
    return [stop for stop in stops if stop is not None]


def attention(task: Task) -> str | None:
    """Why a task needs a person: approval, question, policy, review, failed; None when it does not."""
    if task.status == Status.NEEDS_INPUT:
        if task.live_attempt is not None:
            return "question"
        gated = is_gated(task) and not is_approved(task)
        return "policy" if not gated and trust.waiting(task) else "approval"
    if task.status == Status.READY_FOR_REVIEW:
        return "review"
    return "failed" if task.status == Status.FAILED else None
