"""What a task may do: the policy value, its presets, and what it decides about a call of a tool.

The words are the reference system's; the boundary is the sandbox, and a rule only says early what it can see.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from shared.policy import mcp_tools, tool_rules
from shared.policy.tool_rules import Call, Decision

DEFAULT_BLOCKED = ("rm -rf", "sudo", "git push", "curl", "wget", "ssh", "scp")

#: Where a policy sets no limit of processes.
DEFAULT_PROCESSES = 2048


class NetworkMode(StrEnum):
    DISABLED = "disabled"
    LOCALHOST = "localhost"
    ENABLED = "enabled"


@dataclass(frozen=True)
class Policy:
    """The reference system's fields with its defaults, then our own (contract 5)."""

    allow_network: bool = False
    allow_git_write: bool = False
    allow_secrets: bool = False
    require_approval: bool = False
    blocked_commands: tuple[str, ...] = DEFAULT_BLOCKED
    allowed_workspaces: tuple[str, ...] = ()
    allowed_file_globs: tuple[str, ...] = ()
    allowed_mcp_tools: tuple[str, ...] = ()
    network_mode: NetworkMode = NetworkMode.DISABLED
    budget_cents: int | None = None
    max_runtime_minutes: int | None = None
    workspace_access: str = "worktree"
    enforcement: str = "best-effort"
    agent_home: str = "shared"
    network_hosts: tuple[str, ...] = ()
    home_paths: tuple[str, ...] = ()
    tool_rules: tuple[Mapping[str, Any], ...] = ()
    approval_minutes: int | None = None
    max_memory_mib: int | None = None
    max_disk_mib: int | None = None
    max_processes: int | None = None

    @property
    def network(self) -> NetworkMode:
        """What the agent's tools reach: `allow_network` is the reference system's word for enabled."""
        return NetworkMode.ENABLED if self.allow_network else self.network_mode

    @property
    def contained(self) -> bool:
        """Whether this task asks for containment at all."""
        return self.workspace_access == "worktree"

    def to_json(self) -> dict[str, Any]:
        return json.loads(json.dumps(dataclasses.asdict(self)))

    def digest(self) -> str:
        """SHA-256 of the canonical JSON: what an approval is bound to."""
        return digest_of(self.to_json())


FULL_ACCESS = Policy(
    allow_network=True,
    allow_git_write=True,
    allow_secrets=True,
    blocked_commands=(),
    network_mode=NetworkMode.ENABLED,
    workspace_access="full",
)
PRESETS: dict[str, Policy] = {
    "default": Policy(),
    "auto-review": Policy(require_approval=True),
    "full-access": FULL_ACCESS,
}


def digest_of(value: Mapping[str, Any]) -> str:
    """The same of a policy's JSON with all its fields."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def from_json(value: Mapping[str, Any], base: Policy | None = None) -> Policy:
    """A policy from its JSON object; unknown keys are ignored, missing ones come from `base`."""
    known = {field.name: field for field in dataclasses.fields(Policy)}
    changes: dict[str, Any] = {}
    for name, item in value.items():
        if name not in known:
            continue
        if isinstance(item, list):
            item = tuple(item)
        changes[name] = NetworkMode(item) if name == "network_mode" else item
    return dataclasses.replace(base or Policy(), **changes)


def with_workspace_rules(own: Mapping[str, Any], rules: Sequence[tool_rules.Rule]) -> dict[str, Any]:
    """A policy's JSON with its workspace's tool rules behind its own, each marked with where it came from."""
    given = [{**rule, "origin": "workspace"} for rule in rules]
    return {**own, "tool_rules": [*own.get("tool_rules", ()), *given]} if given else dict(own)


class Governed(Protocol):
    """What has a policy: a task's row."""

    policy: Any
    effective_policy: Any


def in_force(task: Governed) -> Policy:
    """The frozen policy once there is one, else the task's own."""
    return from_json(task.effective_policy or task.policy)


def tool_decision(
    policy: Policy, call: Call, *, contained: bool, granted: Sequence[tool_rules.Rule] = ()
) -> Decision:
    """What happens to a tool an agent wants to use (contract 5): allow, ask or deny, and by which rule.

    `granted` is what a person allowed for the rest of the task; it stands before the policy's rules but weakens no
    deny of theirs. Where no rule matches, enforced containment or full access allow, else a person is asked.
    """
    if not mcp_tools.allows(policy.allowed_mcp_tools, call.tool):
        return Decision("deny", "allowed_mcp_tools", f"The policy does not allow {call.tool}.")
    if policy.workspace_access == "full":
        default = Decision("allow", "no rule matches: full access")
    elif contained:
        default = Decision("allow", "no rule matches: the task is contained")
    else:
        default = Decision("ask", "no rule matches: nothing contains the task")
    given = [("granted for this task", rule) for rule in granted]
    return tool_rules.decide(call, tool_rules.named(policy.tool_rules), default, given)
