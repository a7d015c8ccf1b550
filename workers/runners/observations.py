"""What an adapter sees in an agent's output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from shared.approvals import Question


class Outcome(StrEnum):
    """How a turn of an agent ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Output:
    """Plain lines of a stream; `partial` marks a tail without its newline."""

    stream: str
    lines: Sequence[str]
    partial: bool = False


@dataclass(frozen=True, slots=True)
class Replied:
    """Text a person gave reached the agent's input."""

    text: str


@dataclass(frozen=True, slots=True)
class SessionStarted:
    """The agent named its own conversation."""

    session_id: str


@dataclass(frozen=True, slots=True)
class Said:
    """Prose of the agent."""

    text: str
    event_type: str = "message"


@dataclass(frozen=True, slots=True)
class Thought:
    """Reasoning the agent shows."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool the agent calls, with its input."""

    id: str
    name: str
    title: str
    input: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool call gave."""

    id: str
    text: str
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """The agent waits for a person's answer to a protocol request."""

    question: Question


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The agent took a protocol request back."""

    request: str


@dataclass(frozen=True, slots=True)
class Spent:
    """What this process of the agent has used so far: totals, never deltas."""

    cost: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """The agent waits for the next message, or is done."""

    outcome: Outcome
    text: str = ""
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Noticed:
    """Something worth a line in the timeline that fits nothing else."""

    text: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


Observation = (
    Output
    | Replied
    | SessionStarted
    | Said
    | Thought
    | ToolCall
    | ToolResult
    | Asked
    | Withdrawn
    | Spent
    | TurnEnded
    | Noticed
)
