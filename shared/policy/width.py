"""Whether one policy lets an agent do more than another: what a minted token may not ask for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shared.policy import DEFAULT_PROCESSES, NetworkMode, Policy

#: From the narrowest to the widest.
ORDERS: dict[str, Sequence[Any]] = {
    "allow_git_write": (False, True),
    "allow_secrets": (False, True),
    "require_approval": (True, False),
    "network_mode": tuple(NetworkMode),
    "workspace_access": ("worktree", "full"),
    "enforcement": ("required", "best-effort"),
    "agent_home": ("private", "shared"),
}

LIMITS = (
    *("budget_cents", "max_runtime_minutes", "approval_minutes"),
    *("max_memory_mib", "max_disk_mib", "max_processes"),
)


def widened(wanted: Policy, base: Policy) -> list[str]:
    """The fields in which `wanted` allows more than `base`; a field nobody judged counts as soon as it differs."""
    found = []
    for field in dataclasses.fields(Policy):
        mine, theirs = getattr(wanted, field.name), getattr(base, field.name)
        if field.name == "network_mode":
            mine, theirs = wanted.network, base.network
        if mine != theirs and _JUDGES.get(field.name, _differs)(field.name, mine, theirs):
            found.append(field.name)
    return found


def _differs(name: str, mine: Any, theirs: Any) -> bool:
    return bool(mine != theirs)


def _above(name: str, mine: Any, theirs: Any) -> bool:
    order = ORDERS[name]
    return order.index(mine) > order.index(theirs)


def _judged_elsewhere(name: str, mine: Any, theirs: Any) -> bool:
    return False


def _beyond_limit(name: str, mine: int | None, theirs: int | None) -> bool:
    """No number is no limit, but of those that have one by default."""
    usual = DEFAULT_PROCESSES if name == "max_processes" else None
    mine, theirs = mine or usual, theirs or usual
    return theirs is not None and (mine is None or mine > theirs)


def _more(name: str, mine: Sequence[Any], theirs: Sequence[Any]) -> bool:
    return not set(mine) <= set(theirs)


def _fewer(name: str, mine: Sequence[Any], theirs: Sequence[Any]) -> bool:
    return not set(theirs) <= set(mine)


def _outside(name: str, mine: Sequence[Any], theirs: Sequence[Any]) -> bool:
    """Lists of what is allowed, where an empty one allows everything."""
    return bool(theirs) and (not mine or not set(mine) <= set(theirs))


def _weaker_rules(name: str, mine: Sequence[Mapping[str, Any]], theirs: Sequence[Mapping[str, Any]]) -> bool:
    """The first rule that matches decides: only denials may be added, and nothing be taken away or moved."""
    kept = [rule for rule in mine if rule in theirs]
    return kept != list(theirs) or any(rule["action"] != "deny" for rule in mine if rule not in theirs)


_JUDGES: dict[str, Callable[[str, Any, Any], bool]] = {
    **dict.fromkeys(ORDERS, _above),
    "allow_network": _judged_elsewhere,  # it is a word for network_mode `enabled`
    **dict.fromkeys(LIMITS, _beyond_limit),
    **dict.fromkeys(("network_hosts", "home_paths"), _more),
    "blocked_commands": _fewer,
    **dict.fromkeys(("allowed_workspaces", "allowed_file_globs", "allowed_mcp_tools"), _outside),
    "tool_rules": _weaker_rules,
}
