"""What a third-party runner imports: the protocol, the observations, and the conformance checks."""

from shared.spending import Spending
from workers.runners import Capabilities, Context, Reader, Runner, Start, streams
from workers.runners.conformance import CHECKS
from workers.runners.observations import (
    Asked,
    Noticed,
    Observation,
    Outcome,
    Output,
    Replied,
    Said,
    SessionStarted,
    Spent,
    Thought,
    ToolCall,
    ToolResult,
    TurnEnded,
    Withdrawn,
)

__all__ = [
    "CHECKS",
    "Asked",
    "Capabilities",
    "Context",
    "Noticed",
    "Observation",
    "Outcome",
    "Output",
    "Reader",
    "Replied",
    "Runner",
    "Said",
    "SessionStarted",
    "Spending",
    "Spent",
    "Start",
    "Thought",
    "ToolCall",
    "ToolResult",
    "TurnEnded",
    "Withdrawn",
    "streams",
]
