"""What an agent's environment holds: an allow-list, its runner's own variables, hints, and what was granted."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from shared.policy import Policy
from shared.secrets.redaction import MIN_SECRET_BYTES
from workers.attempts.granting import ALLOWED, matches, owned

FALLBACK_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def build(
    own: Mapping[str, str],
    *,
    policy: Policy,
    passes: Sequence[str],
    additions: Mapping[str, str],
    granted: Mapping[str, str],
    task_id: str,
    attempt_id: str,
) -> tuple[dict[str, str], dict[str, str]]:
    """(the agent's environment, its runner's keys, which must be redacted) from the worker's `own` environment."""
    chosen = {name: value for name, value in own.items() if matches(name, ALLOWED) or matches(name, passes)}
    path = chosen.get("PATH", FALLBACK_PATH)
    environment = {
        **chosen,
        **granted,
        "PATH": path,
        "HOME": chosen.get("HOME") or os.path.expanduser("~"),
        "OPENRUNTIME_PATH": path,
        "OPENRUNTIME_TASK_ID": task_id,
        "OPENRUNTIME_ATTEMPT_ID": attempt_id,
        **hints(policy),
        **additions,
    }
    keys = {name: value for name, value in chosen.items() if name.endswith(("_API_KEY", "_TOKEN", "_SECRET"))}
    return environment, {
        owned(name): value
        for name, value in keys.items()
        if len(value.encode("utf-8", "surrogateescape")) >= MIN_SECRET_BYTES
    }


def hints(policy: Policy) -> dict[str, str]:
    """The variables of the reference system: they tell a cooperating agent what its policy says."""
    found = {
        "OPENRUNTIME_NETWORK_MODE": str(policy.network),
        "OPENRUNTIME_ALLOWED_MCP_TOOLS": ",".join(policy.allowed_mcp_tools),
        "OPENRUNTIME_ALLOWED_FILE_GLOBS": ",".join(policy.allowed_file_globs),
        "OPENRUNTIME_ALLOWED_WORKSPACES": ",".join(policy.allowed_workspaces),
        "OPENRUNTIME_GIT_WRITE": "true" if policy.allow_git_write else "false",
    }
    if policy.budget_cents is not None:
        found["OPENRUNTIME_BUDGET_CENTS"] = str(policy.budget_cents)
    if policy.max_runtime_minutes is not None:
        found["OPENRUNTIME_MAX_RUNTIME_MINUTES"] = str(policy.max_runtime_minutes)
    if not policy.allow_secrets:
        found["OPENRUNTIME_SECRET_ACCESS"] = "disabled"  # noqa: S105 — a hint of the reference system
    return found
