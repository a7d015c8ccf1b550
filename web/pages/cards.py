"""A task as a card: its column, what it does now or asks for, and the few numbers worth a glance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared import groups, tasks
from shared.clock import now, to_micros
from shared.groups import Place
from shared.lifecycle import LIVE, Outcome, Status, StopReason
from shared.policy.tool_rules import FOR_A_PERSON
from shared.store.models import Approval, Attempt, Event, Task
from shared.task_place import TaskPlace
from web import views
from web.pages import requests, words
from web.pages.requests import Asked

COLUMNS = {
    "needs": "Needs you",
    "queued": "Queued",
    "running": "Running",
    "review": "Review",
    "done": "Done",
    "ended": "Failed",
}
COLUMN_OF = {
    Status.NEEDS_INPUT: "needs",
    Status.QUEUED: "queued",
    Status.RUNNING: "running",
    Status.READY_FOR_REVIEW: "review",
    Status.COMPLETED: "done",
    Status.FAILED: "ended",
    Status.STOPPED: "ended",
}
#: (word, colour class) of each status.
STATES = {
    Status.NEEDS_INPUT: ("Needs you", "warn"),
    Status.QUEUED: ("Queued", "idle"),
    Status.RUNNING: ("Running", "info"),
    Status.READY_FOR_REVIEW: ("Review", "review"),
    Status.COMPLETED: ("Done", "ok"),
    Status.FAILED: ("Failed", "bad"),
    Status.STOPPED: ("Stopped", "idle"),
}
OUTCOMES: dict[str, str] = {
    Outcome.OUTAGE: "Outage",
    Outcome.LOGIN_MISSING: "Signed out",
    Outcome.USAGE_LIMIT: "Usage limit",
}
REASONS = {
    "user": "Stopped by you",
    "budget-exceeded": "Stopped: the time budget was used up",
    "interrupted": "Interrupted: its host or program went away",
    "disk-full": "Stopped: the disk is full",
    "memory-exceeded": "Stopped: it used more memory than it may",
    "processes-exceeded": "Stopped: it started more processes than it may",
    "disk-exceeded": "Stopped: it filled more of the disk than it may",
}
#: A card looks at this many of its task's newest events for something to show.
RECENT = 12
TELLING = ("agent-message", "tool-call", "runner-output", "plan")
SHOWN = 240
#: One priority outweighs any age: in milliseconds more than a century, and a thousand of them fit into a float.
PRIORITY_STEP = 4_000_000_000_000
BUDGET_SHOWN_FROM = 0.5
#: What tells two tasks of one runner apart.
TOLD_APART = ("model", "effort", "mode")


@dataclass(frozen=True)
class Ask:
    """What the card waits for: `gate`, `trust`, `approval`, `question`; `text` is a sentence, `command` shown verbatim."""

    kind: str
    text: str
    command: str | None = None
    approval: Approval | None = None
    asked: Asked | None = None
    count: int = 1


@dataclass(frozen=True)
class Card:
    """Everything the template shows of one task."""

    task: Task
    column: str
    state: str
    tone: str
    activity: str
    is_output: bool
    ask: Ask | None
    started_at: datetime | None
    seconds: float
    money: str
    changes: tuple[int, int, int] | None
    budget: float | None
    attempts: int
    pending: str | None
    place: Place | None

    @property
    def works_in(self) -> str:
        """The kind of place, in words; "" where it is an ordinary worktree, or not known yet."""
        return words.works_in(self.task)

    @property
    def is_live(self) -> bool:
        return self.task.live_attempt is not None and self.task.status in LIVE

    @property
    def order(self) -> int:
        """Where it stands in its column, ascending, in milliseconds; the same order the board's queries have."""
        created, updated = (to_micros(at) // 1000 for at in (self.task.created_at, self.task.updated_at))
        if self.column == "needs":
            return updated
        if self.column == "queued":
            return created - self.task.priority * PRIORITY_STEP
        return -created if self.column == "running" else -updated

    @property
    def how(self) -> str:
        return told_apart(self.task)

    @property
    def can_start(self) -> bool:
        return self.task.status is Status.QUEUED and self.task.live_attempt is None


def told_apart(task: Task) -> str:
    """What tells it from another task of its runner: model and further choices, a preset that is not the usual one."""
    said = [str(task.options[name]) for name in TOLD_APART if task.options.get(name)]
    return " · ".join([*said, *([task.preset] if task.preset != "default" else [])])


def cards(rows: Sequence[Task]) -> list[Card]:
    """Cards of these tasks, in their order."""
    known = views.context(rows)
    asked = _asked([row for row in rows if row.status is Status.NEEDS_INPUT])
    places = groups.places(rows)
    return [_card(row, known, asked.get(row.number, []), places.get(row.number)) for row in rows]


def card(task: Task) -> Card:
    return cards([task])[0]


def _asked(rows: Sequence[Task]) -> dict[int, list[Approval]]:
    found: dict[int, list[Approval]] = {}
    numbers = [row.number for row in rows]
    if numbers:
        pending = Approval.select().where(Approval.status == "pending", Approval.task.in_(numbers))
        for approval in pending.order_by(Approval.created_at):
            found.setdefault(approval.task_id, []).append(approval)
    return found


def _card(task: Task, known: views.Context, asked: list[Approval], place: Place | None) -> Card:
    attempts = known.attempts.get(task.number, [])
    last = attempts[-1] if attempts else None
    ask = _ask(task, asked)
    activity, is_output = ("", False) if ask else _activity(task, last, known)
    state, tone = _state(task, last)
    seconds = _seconds(attempts)
    pending = known.pending.get(task.number)
    limit = task.budget_minutes * 60
    used = _running_seconds(last) / limit if task.status in LIVE and limit else 0.0
    return Card(
        task=task,
        column=COLUMN_OF[task.status],
        state=state,
        tone=tone,
        activity=activity[:SHOWN],
        is_output=is_output,
        ask=ask,
        started_at=last.started_at if last and task.status in LIVE else None,
        seconds=seconds,
        money=words.money(int(task.ledger.get("cost_micros", 0)), bool(task.ledger.get("estimated"))),
        changes=views.changes(task),
        budget=min(used, 1.0) if used > BUDGET_SHOWN_FROM else None,
        attempts=len(attempts),
        pending=pending["kind"] if pending else None,
        place=place,
    )


def _state(task: Task, last: Attempt | None) -> tuple[str, str]:
    """The status in a word; of a failure that was not the agent's own, what it was."""
    state, tone = STATES[task.status]
    if task.status is Status.FAILED and last is not None:
        state = OUTCOMES.get(last.outcome or "", state)
    return state, tone


def _ask(task: Task, asked: list[Approval]) -> Ask | None:
    if task.status is not Status.NEEDS_INPUT:
        return None
    if asked:
        first = asked[0]
        return Ask(
            "approval",
            first.title,
            _asked_for(first),
            first,
            requests.asked(task, first),
            len(asked),
        )
    if tasks.attention(task) == "policy":
        return Ask(
            "trust", f"The repository configures {words.runner_label(task.runner)}: look before it starts"
        )
    if tasks.is_gated(task):
        return Ask(
            "gate",
            "Waits for your approval to start",
            task.command if task.runner == "shell" else task.prompt,
        )
    reason = _reason(task)
    return Ask("question", reason or "Waits for your answer")


def _asked_for(approval: Approval) -> str | None:
    """The exact command; for a tool without one, the plain values of its input."""
    if approval.command:
        return str(approval.command)
    if approval.choices or approval.tool in FOR_A_PERSON:
        return None
    lines = [
        f"{key}: {value}" for key, value in approval.input.items() if isinstance(value, str | int | float)
    ]
    return "\n".join(lines) or None


def _reason(task: Task) -> str:
    for event in _newest(task):
        if (event.metadata or {}).get("category") == "needs-input":
            return str(event.metadata.get("reason") or "")
    return ""


def _newest(task: Task) -> list[Event]:
    wanted = Event.select(Event.kind, Event.message, Event.metadata).where(Event.task == task.number)
    return list(wanted.where(Event.seq > task.last_seq - RECENT).order_by(Event.seq.desc()))


def _activity(task: Task, last: Attempt | None, known: views.Context) -> tuple[str, bool]:
    """One line, and whether it is the output of a program."""
    if task.status is Status.QUEUED:
        return _queue_line(task, known), False
    if task.status is Status.STOPPED:
        if last and last.blocked_reason and task.stop_reason == StopReason.BUDGET:
            return last.blocked_reason, False
        return REASONS.get(task.stop_reason or "", "Stopped"), False
    if task.worktree_merged_at and task.place == TaskPlace.IN_PLACE:
        return "Edited the folder in place", False
    if task.worktree_merged_at:
        return f"Merged into {task.target_branch}" if task.target_branch else "Merged", False
    if task.status is Status.FAILED:
        return _failure(task, last)
    if last is not None and last.hindrance and task.status is Status.RUNNING:
        return last.hindrance, False
    if (
        last is not None
        and last.outcome == Outcome.BLOCKED
        and task.status in (Status.READY_FOR_REVIEW, Status.COMPLETED)
    ):
        return "Done, but some of its tools were denied", False
    for event in _newest(task):
        category = (event.metadata or {}).get("category")
        if category in TELLING and (line := words.last_line(event.message)):
            return line, category == "runner-output"
    return ("Starting" if task.status is Status.RUNNING else "Finished without output"), False


def _queue_line(task: Task, known: views.Context) -> str:
    if task.live_attempt is None:
        return "Not started yet"
    place = known.places.get(task.live_attempt)
    return f"Waits for a free slot, number {place} in line" if place and place > 1 else "Starts next"


def _failure(task: Task, last: Attempt | None) -> tuple[str, bool]:
    if last is not None and last.outcome == Outcome.USAGE_LIMIT and last.limit_resets_at:
        by_itself = "goes on by itself" if task.options.get("resume_after_limit") else "can be resumed"
        return f"Usage limit reached; it {by_itself} at {last.limit_resets_at:%H:%M} UTC", False
    if last is not None and last.outcome in OUTCOMES:
        return last.summary or OUTCOMES[last.outcome], False
    for event in _newest(task):
        if event.kind in ("stderr", "error") and (line := words.last_line(event.message)):
            return line, event.kind == "stderr"
    if last is not None and last.exit_status:
        return f"Ended with {last.exit_status}", False
    return (last.summary if last is not None else None) or "Failed", False


def _seconds(attempts: Sequence[Attempt]) -> float:
    ended = sum(float(attempt.runtime_millis) / 1000 for attempt in attempts if attempt.finished_at)
    live = [attempt for attempt in attempts if attempt.started_at and not attempt.finished_at]
    return ended + sum(_running_seconds(attempt) for attempt in live)


def _running_seconds(attempt: Attempt | None) -> float:
    if attempt is None or attempt.started_at is None:
        return 0.0
    return float(((attempt.finished_at or now()) - attempt.started_at).total_seconds())
