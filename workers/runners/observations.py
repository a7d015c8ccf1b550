"""What an adapter sees in an agent's output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.approvals import Question
from shared.costs.spending import Spending
from shared.lifecycle import Outcome as Outcome  # adapters find all their words here


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
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class Thought:
    """Reasoning the agent shows."""

    text: str
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool the agent calls, with its input; `parent` is the call that started the sub-agent it belongs to."""

    id: str
    name: str
    title: str
    input: Mapping[str, Any] = field(default_factory=dict)
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool call gave; `partial` while it still runs."""

    id: str
    text: str
    failed: bool = False
    parent: str | None = None
    partial: bool = False


@dataclass(frozen=True, slots=True)
class Planned:
    """The agent's list of steps as it stands: (step, pending | in_progress | completed)."""

    steps: Sequence[tuple[str, str]]


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
    """What the agent has used so far: totals, never deltas; whose, by model, and at what cost, says a `Spending`."""

    cost: Spending | Mapping[str, int]


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """The agent waits for the next message, or is done."""

    outcome: Outcome
    text: str = ""
    error: str | None = None
    #: When a usage limit is lifted, in seconds since 1970.
    resets_at: float | None = None


@dataclass(frozen=True, slots=True)
class Send:
    """Bytes the agent's protocol needs next; `id` is the same whenever the line that caused it is read again."""

    id: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Hindered:
    """Something outside holds the agent up and it tries again; whatever it says or does next ends that."""

    text: str


@dataclass(frozen=True, slots=True)
class Unsafe:
    """The agent does not ask where this task's policy needs it to: it is ended before it does anything."""

    reason: str


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
    | Planned
    | Asked
    | Withdrawn
    | Spent
    | TurnEnded
    | Send
    | Hindered
    | Unsafe
    | Noticed
)
