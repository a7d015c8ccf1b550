"""What the task page says of a task around its timeline: state, actions, progress, budgets, who runs it, neighbours."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shared import approvals, fleet, followups, task_place, tasks
from shared.agents import trust
from shared.clock import now
from shared.followups import FollowUp
from shared.lifecycle import ENDED, LIVE, Status
from shared.policy import report as policy_report
from shared.store.database import raw
from shared.store.models import AgentFile, Approval, Attempt, Task
from shared.task_place import TaskPlace
from web import views
from web.api.events import attachment
from web.pages import cards, requests, words
from web.pages.cards import Card
from web.pages.requests import Asked

SIBLINGS = 30
TODAY = timedelta(hours=24)
#: A question stands near the end of the timeline.
LOOKED_THROUGH = 2_000
GROUPS = (
    ("Needs you", (Status.NEEDS_INPUT, Status.READY_FOR_REVIEW)),
    ("Running", (Status.RUNNING, Status.QUEUED)),
    ("Done today", (Status.COMPLETED, Status.FAILED, Status.STOPPED)),
)


@dataclass(frozen=True)
class Step:
    """One step of the task: `done`, `now` or `later`, and when it was taken."""

    label: str
    state: str
    at: datetime | None = None


@dataclass(frozen=True)
class Budget:
    """What of a budget is used, in its own unit and in words."""

    label: str
    used: float
    limit: float
    text: str


@dataclass(frozen=True)
class ReplyBox:
    """`kind` is `live`, `resume` or `none`; `text` the placeholder, or why there is nothing to write into.

    `can_wait`: the message may be sent now, or after the turn.
    """

    kind: str
    text: str
    can_wait: bool = False


@dataclass(frozen=True)
class Details:
    """Everything around the timeline."""

    task: Task
    card: Card
    last: Attempt | None
    attempts: int
    files: int
    asked: list[Asked]
    question: str | None
    gated: bool
    untrusted: list[AgentFile]
    steps: list[Step]
    budgets: list[Budget]
    reply: ReplyBox
    queued: list[FollowUp]
    attach: str | None
    attach_said: str

    @property
    def live(self) -> bool:
        return self.card.is_live

    @property
    def can_stop(self) -> bool:
        return self.live or self.gated or bool(self.untrusted) or self.task.status is Status.QUEUED

    @property
    def can_start(self) -> bool:
        return (
            self.task.live_attempt is None and not self.gated and self.task.status is not Status.NEEDS_INPUT
        )

    @property
    def can_resume(self) -> bool:
        return (
            self.can_start
            and self.task.status in ENDED
            and bool(self.task.runner_session_id)
            and self.task.runner != "shell"
        )

    @property
    def can_merge(self) -> bool:
        task = self.task
        return (
            task.live_attempt is None
            and bool(task.worktree_path)
            and not (task.worktree_merged_at or task.worktree_cleaned_at)
        )

    @property
    def works_in(self) -> str:
        """The kind of place, in words; "" where it is an ordinary worktree, or not known yet."""
        return words.works_in(self.task)

    @property
    def is_merged(self) -> bool:
        return self.task.worktree_merged_at is not None

    @property
    def state(self) -> tuple[str, str]:
        """The word of the state and its colour."""
        landed = "Edited in place" if self.task.place == TaskPlace.IN_PLACE else "Merged"
        return (landed, "ok") if self.is_merged else (self.card.state, self.card.tone)


def frame(task: Task) -> dict[str, Any]:
    """What every page about a task is framed with."""
    return {"task": task, "details": details(task), "act": f"/ui/tasks/{task.id}"}


def details(task: Task) -> Details:
    attempts = list(Attempt.select().where(Attempt.task == task.number).order_by(Attempt.attempt_number))
    last = attempts[-1] if attempts else None
    asked = approvals.of(task, "pending") if task.status is Status.NEEDS_INPUT else []
    gated = tasks.is_gated(task) and not tasks.is_approved(task)
    waits = task.status is Status.NEEDS_INPUT and not gated and _waits_for_text(task)
    waits_for_trust = task.status is Status.NEEDS_INPUT and task.live_attempt is None and not gated
    command, said = attachment(task)
    return Details(
        task=task,
        card=cards.card(task),
        last=last,
        attempts=len(attempts),
        files=changed_files(task),
        asked=[requests.asked(task, row) for row in asked],
        question=last_question(task) if waits else None,
        gated=gated,
        untrusted=trust.waiting(task) if waits_for_trust else [],
        steps=steps(task, last, gated=gated),
        budgets=budgets(task, last),
        reply=reply_box(task),
        queued=followups.queued(task) if task.runner != "shell" else [],
        attach=command,
        attach_said=said,
    )


def _waits_for_text(task: Task) -> bool:
    """Whether a reply is what is waited for, and neither a decision nor its delivery."""
    return (
        task.live_attempt is not None
        and not Approval.select()
        .where(Approval.attempt == task.live_attempt, Approval.delivered_at.is_null())
        .where(Approval.status.in_(("pending", "allowed", "denied")))
        .exists()
    )


def changed_files(task: Task) -> int:
    """How many files the stored capture changes, by the last line of its stat."""
    found = views.changes(task)
    return found[0] if found else 0


def last_question(task: Task) -> str:
    """The line the program waits behind."""
    found = (
        raw()
        .execute(
            "SELECT metadata FROM event WHERE task = ? AND seq > ? AND kind = 'lifecycle'"
            " AND json_extract(metadata, '$.category') = 'needs-input' ORDER BY seq DESC LIMIT 1",
            (task.number, task.last_seq - LOOKED_THROUGH),
        )
        .fetchone()
    )
    return str(json.loads(found[0]).get("reason") or "") if found else ""


def steps(task: Task, last: Attempt | None, *, gated: bool) -> list[Step]:
    """From creation to cleanup, with the times that are known."""
    found = [Step("Created", "done", task.created_at)]
    if gated or task.approved_at:
        found.append(Step("Approved to start", "now" if gated else "done", task.approved_at))
    queued = last is not None and last.status is Status.QUEUED
    started = last.started_at if last else None
    label = f"Started, attempt {last.attempt_number}" if last and last.attempt_number > 1 else "Started"
    found.append(
        Step("Waits for a free slot" if queued else label, "now" if queued else _at(started), started)
    )
    if task.status is Status.NEEDS_INPUT and task.live_attempt:
        found.append(Step("Waits for you", "now", task.updated_at))
    elif task.status is Status.RUNNING:
        found.append(Step("Working", "now"))
    ended = last.finished_at if last else None
    found.append(Step(_end(task, ended), _at(ended), ended))
    if task.place == TaskPlace.IN_PLACE:
        return found
    if task.worktree_path or task.worktree_merged_at:
        if task.worktree_merged_at or changed_files(task):
            at = task.worktree_merged_at
            found.append(
                Step("Merged", "now" if not at and task.status is Status.READY_FOR_REVIEW else _at(at), at)
            )
        found.append(Step("Worktree removed", _at(task.worktree_cleaned_at), task.worktree_cleaned_at))
    return found


def _at(moment: datetime | None) -> str:
    return "done" if moment else "later"


def _end(task: Task, ended: datetime | None) -> str:
    if ended is None:
        return "Finished"
    return {
        Status.FAILED: "Failed",
        Status.STOPPED: "Stopped",
        Status.READY_FOR_REVIEW: "Ready for review",
    }.get(task.status, "Finished")


def budgets(task: Task, last: Attempt | None) -> list[Budget]:
    """Time of the latest attempt, and money of the task where it has a limit."""
    policy = tasks.policy_of(task)
    limit = min(filter(None, (task.budget_minutes, policy.max_runtime_minutes))) * 60
    used = 0.0
    if last is not None and last.started_at:
        used = ((last.finished_at or now()) - last.started_at).total_seconds()
        used = last.runtime_millis / 1000 if last.finished_at and last.runtime_millis else used
    found = [Budget("Time", min(used, limit), limit, f"{clock(used)} of {clock(limit)}")]
    spent = int(task.ledger.get("cost_micros", 0))
    if policy.budget_cents:
        shown = words.money(spent, bool(task.ledger.get("estimated"))) or "$0.00"
        cap = policy.budget_cents * words.MICROS_PER_CENT
        found.append(Budget("Cost", min(spent, cap), cap, f"{shown} of {words.money(cap)}"))
    return found


def clock(seconds: float) -> str:
    """`4:51`, `1:02:09`."""
    whole = max(0, int(seconds))
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def reply_box(task: Task) -> ReplyBox:
    name = words.runner_label(task.runner)
    if task.live_attempt and task.status in LIVE:
        if task.runner == "shell":
            return ReplyBox("live", "Type a line for the command")
        return ReplyBox("live", f"Reply to {name}", can_wait=task.options.get("mode") != "oneshot")
    if task.status in (Status.QUEUED, Status.NEEDS_INPUT) and not task.runner_session_id:
        return ReplyBox("none", "You can write to the task once it runs.")
    if task.runner == "shell":
        return ReplyBox("none", "The command has ended. Start it again to run it anew.")
    if not task.runner_session_id:
        return ReplyBox("none", f"{name} left no session to go on with. Start the task again.")
    return ReplyBox("resume", f"Resume {name} with a message")


def siblings(task: Task) -> list[tuple[str, list[Card]]]:
    """The tasks around this one, by what they need."""
    found: list[tuple[str, list[Card]]] = []
    for title, statuses in GROUPS:
        query = Task.select().where(Task.archived_at.is_null(), Task.status.in_(statuses))
        if title == "Done today":
            query = query.where((Task.updated_at > now() - TODAY) | (Task.number == task.number))
        rows = list(query.order_by(Task.updated_at.desc(), Task.number.desc()).limit(SIBLINGS))
        if rows:
            found.append((title, cards.cards(rows)))
    return found


@dataclass(frozen=True)
class Rule:
    """One field of the policy, its value in words, and how far it holds on this host."""

    name: str
    value: str
    level: str
    reason: str


def rules(task: Task) -> list[Rule]:
    """The effective policy, field by field: as it held when the latest attempt began, or would hold here now."""
    wanted = tasks.policy_of(task)
    report = task.policy_report or policy_report.of(
        wanted, fleet.grounds().get(task.runner), task_place.shown(task.place, task.options)
    )
    found = []
    for name, value in wanted.to_json().items():
        level, reason = report.get(name) or ("", "")
        shown = f"{len(value)}, see below" if name == "tool_rules" and value else in_words(value)
        found.append(Rule(words.field(name), shown, level, reason))
    return found


def in_words(value: Any) -> str:
    """A field's value as a person reads it."""
    if value is None or value == []:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(
            item if isinstance(item, str) else json.dumps(item, ensure_ascii=False) for item in value
        )
    return str(value)
