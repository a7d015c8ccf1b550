"""What a third-party runner imports: the protocol, the observations, and the conformance checks."""

from shared.approvals import Question
from shared.costs.spending import Spending
from shared.errors import NotReady
from workers.runners import Capabilities, Context, Home, Reader, Runner, Start, streams
from workers.runners.conformance import CHECKS
from workers.runners.observations import (
    Asked,
    Hindered,
    Noticed,
    Observation,
    Outcome,
    Output,
    Planned,
    Replied,
    Said,
    Send,
    SessionStarted,
    Spent,
    Thought,
    ToolCall,
    ToolResult,
    TurnEnded,
    Unsafe,
    Withdrawn,
)

__all__ = [
    "CHECKS",
    "Asked",
    "Capabilities",
    "Context",
    "Hindered",
    "Home",
    "NotReady",
    "Noticed",
    "Observation",
    "Outcome",
    "Output",
    "Planned",
    "Question",
    "Reader",
    "Replied",
    "Runner",
    "Said",
    "Send",
    "SessionStarted",
    "Spending",
    "Spent",
    "Start",
    "Thought",
    "ToolCall",
    "ToolResult",
    "TurnEnded",
    "Unsafe",
    "Withdrawn",
    "streams",
]
