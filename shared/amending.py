"""What may still be changed of a task: its title, labels and priority at any time, its policy until it is frozen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared import audit, policy, timeline, workspaces
from shared.audit import Act
from shared.clock import now
from shared.errors import BadRequest, Conflict, PolicyViolation
from shared.events import Category, Draft, Kind
from shared.policy import Policy, places, presets
from shared.store.database import transaction
from shared.store.models import Attempt, Task
from shared.tasks import get

#: A person approved another policy.
UNAPPROVED = {"approved_at": None, "approved_attempt": None, "approved_hash": None}


def amend(
    task: Task,
    *,
    title: str | None = None,
    labels: list[str] | None = None,
    priority: int | None = None,
    preset: str | None = None,
    policy_keys: Mapping[str, Any] | None = None,
) -> Task:
    """Change what is given. A preset is the new beginning, policy keys change it, or what the task has.

    Raises Conflict for the policy of a task that was started, PolicyViolation where its command would not be allowed.
    """
    if title is not None and not title.strip():
        raise BadRequest("A task needs a title.")
    with transaction():
        task = get(task.id)
        changed: dict[str, Any] = {"labels": labels, "priority": priority}
        changed["title"] = title.strip() if title is not None else None
        changed = {name: value for name, value in changed.items() if value is not None}
        told = dict(changed)
        if preset is not None or policy_keys:
            wanted = _policy(task, preset, policy_keys or {})
            changed |= {"policy": wanted.to_json(), "preset": _name_of(task, wanted), **UNAPPROVED}
            told |= {"preset": changed["preset"], "policy_hash": wanted.digest()}
            about = {"category": Category.POLICY, "policy_hash": wanted.digest()}
            said = f"Policy changed to {changed['preset']}"
            timeline.append(task.number, [Draft(Kind.INPUT, said, about)])
        if changed:
            Task.update(updated_at=now(), **changed).where(Task.number == task.number).execute()
            if priority is not None:
                Attempt.update(priority=priority).where(
                    Attempt.id == task.live_attempt, Attempt.worker.is_null()
                ).execute()
            audit.record(Act.CHANGE_TASK, "task", task.id, **told)
    return get(task.id)


def _policy(task: Task, preset: str | None, keys: Mapping[str, Any]) -> Policy:
    if task.effective_policy is not None:
        raise Conflict(
            "The policy was frozen when the task was first started; make a new task with another policy."
        )
    defaults = workspaces.defaults_for(task.workspace)
    start = policy.from_json(task.policy) if preset is None else presets.base(defaults, preset)
    wanted = policy.from_json(keys, start)
    places.check(wanted.to_json())
    found = policy.evaluate(
        wanted, command=task.command if task.runner == "shell" else None, workspace=task.workspace
    )
    if found:
        raise PolicyViolation(found[0].message, findings=[vars(one) for one in found])
    return wanted


def _name_of(task: Task, wanted: Policy) -> str:
    return presets.name_of(wanted, workspaces.defaults_for(task.workspace))
