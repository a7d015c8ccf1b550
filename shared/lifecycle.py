"""The states of a task and of an attempt, and which moves between them are legal."""

from __future__ import annotations

from enum import StrEnum

from shared.errors import Conflict


class Status(StrEnum):
    """The seven words of the reference system; tasks and attempts share them."""

    QUEUED = "queued"
    RUNNING = "running"
    NEEDS_INPUT = "needs-input"
    READY_FOR_REVIEW = "ready-for-review"
    COMPLETED = "completed"
    FAILED = "failed"
    STOPPED = "stopped"


LIVE = frozenset({Status.RUNNING, Status.NEEDS_INPUT})
ENDED = frozenset({Status.READY_FOR_REVIEW, Status.COMPLETED, Status.FAILED, Status.STOPPED})
AGAIN = frozenset({Status.QUEUED, Status.NEEDS_INPUT, Status.COMPLETED})

#: A queued task may wait for its gate (needs-input without an attempt); an ended one may be started again, which
#: may take it to its gate anew, and landing completes it.
TRANSITIONS: dict[Status, frozenset[Status]] = {
    Status.QUEUED: LIVE | {Status.STOPPED, Status.FAILED},
    Status.RUNNING: ENDED | {Status.NEEDS_INPUT, Status.QUEUED},
    Status.NEEDS_INPUT: ENDED | {Status.RUNNING, Status.QUEUED},
    Status.READY_FOR_REVIEW: AGAIN,
    Status.COMPLETED: AGAIN,
    Status.FAILED: AGAIN,
    Status.STOPPED: AGAIN,
}


class StopReason(StrEnum):
    """Why an attempt ended other than by itself."""

    USER = "user"
    BUDGET = "budget-exceeded"
    INTERRUPTED = "interrupted"
    DISK_FULL = "disk-full"
    MEMORY = "memory-exceeded"
    PROCESSES = "processes-exceeded"
    DISK = "disk-exceeded"


class Outcome(StrEnum):
    """How a turn of an agent ended: done, done without what was denied, or why it could not go on."""

    COMPLETED = "completed"
    BLOCKED = "blocked"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    OUTAGE = "outage"
    LOGIN_MISSING = "login-missing"
    USAGE_LIMIT = "usage-limit"


def require(current: Status, target: Status) -> None:
    """Raise Conflict unless the move is legal."""
    if target not in TRANSITIONS[current]:
        raise Conflict(f"The task is {current}; it cannot become {target}.")


def sources(target: Status) -> list[Status]:
    """The states from which `target` may be reached, for the WHERE of a guarded UPDATE."""
    return [status for status, targets in TRANSITIONS.items() if target in targets]


def after_exit(
    *, code: int | None, stop_reason: str | None, has_changes: bool, failed: bool = False
) -> Status:
    """The state an attempt ends in: a stop wins, then failure, then whether there is something to review."""
    if stop_reason:
        return Status.STOPPED
    if failed or code != 0:
        return Status.FAILED
    return Status.READY_FOR_REVIEW if has_changes else Status.COMPLETED


def exit_status(code: int | None, signal: int | None, signal_name: str = "") -> str | None:
    """The reference system's wording: `exit status: N` or `signal: 9 (SIGKILL)`; None when neither is known."""
    if code is not None:
        return f"exit status: {code}"
    if signal is not None:
        return f"signal: {signal} ({signal_name})" if signal_name else f"signal: {signal}"
    return None
