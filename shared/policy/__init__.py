"""What a task may do: the policy's value, the rules that read commands and calls, and what is granted beside it."""

from shared.policy.rules import RULES, Finding, evaluate
from shared.policy.value import (
    DEFAULT_PROCESSES,
    FULL_ACCESS,
    PRESETS,
    NetworkMode,
    Policy,
    digest_of,
    from_json,
    in_force,
    tool_decision,
    with_workspace_rules,
)

__all__ = [
    "DEFAULT_PROCESSES",
    "FULL_ACCESS",
    "PRESETS",
    "RULES",
    "Finding",
    "NetworkMode",
    "Policy",
    "digest_of",
    "evaluate",
    "from_json",
    "in_force",
    "tool_decision",
    "with_workspace_rules",
]
