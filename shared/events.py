"""What may stand in a timeline: the six kinds, the categories, and one event before it is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5

#: The cap of one event's text; more is split or cut, and the cut is said in the metadata (web.md 1.4).
MESSAGE_BYTES = 64 * 1024


class Kind(StrEnum):
    """The six kinds of the reference system."""

    LIFECYCLE = "lifecycle"
    STDOUT = "stdout"
    STDERR = "stderr"
    DIFF = "diff"
    INPUT = "input"
    ERROR = "error"


class Category(StrEnum):
    """What an event is about, in its metadata; the first group is the reference system's."""

    ATTEMPT_STARTED = "attempt-started"
    ATTEMPT_RUNNING = "attempt-running"
    ATTEMPT_COMPLETED = "attempt-completed"
    ATTEMPT_FAILED = "attempt-failed"
    ATTEMPT_START_FAILED = "attempt-start-failed"
    ATTEMPT_STOPPED = "attempt-stopped"
    ATTEMPT_REATTACHED = "attempt-reattached"
    NEEDS_INPUT = "needs-input"
    RUNNER_SESSION = "runner-session"
    RUNNER_OUTPUT = "runner-output"
    REPLY = "reply"
    REPLY_ERROR = "reply-error"

    AGENT_MESSAGE = "agent-message"
    AGENT_THINKING = "agent-thinking"
    TOOL_CALL = "tool-call"
    TOOL_RESULT = "tool-result"
    PLAN = "plan"
    USAGE = "usage"
    APPROVAL_REQUEST = "approval-request"
    APPROVAL_DECISION = "approval-decision"
    POLICY = "policy"
    GAP = "gap"
    CHECK = "check"
    SET_UP = "set-up"


@dataclass(frozen=True, slots=True)
class Draft:
    """One event before it has a place in the timeline; `metadata` is a JSON object or None."""

    kind: Kind
    message: str
    metadata: Mapping[str, Any] | None = None


def event_id(task_id: str, seq: int) -> str:
    """An event's id is derived, not stored: UUIDv5 of its task and its place."""
    return str(uuid5(UUID(task_id), str(seq)))
