"""How far a minted token reaches: never beyond what the workspace's own preset and grants allow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared import policy, task_place, workspaces
from shared.errors import Forbidden
from shared.policy import Policy, presets
from shared.policy.width import widened
from shared.store.models import Task

#: How a workspace has landings checked: where it says so, a task of a minted token has no checks of its own.
CHECKS = ("verify", "verify_mode", "checks")


def require(wanted: Policy, options: Mapping[str, Any], workspace: str) -> None:
    """Raise Forbidden, naming the fields, when a task would get more than its workspace gives by itself."""
    defaults = workspaces.defaults_for(workspace)
    base = presets.base(defaults, None)
    wider = widened(wanted, base)
    if set(options.get("env") or ()) - set(defaults.get("env") or ()):
        wider.append("env")
    if task_place.consents(options):
        wider.append(task_place.OPTION)
    if any(defaults.get(name) is not None for name in CHECKS):
        wider += [name for name in CHECKS if options.get(name) not in (None, defaults.get(name))]
    if wider:
        raise Forbidden(
            f"An API token cannot go beyond the workspace's own policy; this task does in: {', '.join(wider)}.",
            fields=wider,
        )


def require_task(task: Task) -> None:
    """The same for a task that exists: whoever starts it or talks to it acts with its policy."""
    require(policy.from_json(task.policy), task.options, task.workspace)
