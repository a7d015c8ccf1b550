"""How a task begins: what a client asks for is checked, and recorded only as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from shared import audit, fleet, policy, timeline, workspaces
from shared.access import bounds
from shared.agents import options as agent_options
from shared.audit import Act
from shared.clock import now
from shared.errors import BadRequest, PolicyViolation, WrongShape
from shared.events import Draft, Kind
from shared.lifecycle import Status
from shared.policy import findings, places, presets
from shared.store.database import transaction
from shared.store.models import Task
from shared.tasks import get

DEFAULT_BUDGET_MINUTES = 15
BUDGET_MINUTES = (1, 240)


@dataclass(frozen=True)
class NewTask:
    """A task as a client asks for it; `policy` holds only the keys that override the preset."""

    title: str
    prompt: str
    runner: str
    command: str | None = None
    workspace: str | None = None
    budget_minutes: int | None = None
    policy: Mapping[str, Any] | None = None
    preset: str | None = None
    priority: int = 0
    labels: tuple[str, ...] = ()
    base_ref: str | None = None
    target_branch: str | None = None
    #: verify, env, depends_on, pty, mode, model …: what the runner and the worker read
    options: Mapping[str, Any] = field(default_factory=dict)
    #: a minted token asks: nothing beyond the workspace's own policy
    within_workspace: bool = False
    #: the group of tasks for one goal it belongs to
    group_id: str | None = None


def create(new: NewTask, home: Path) -> Task:
    """Record a task; the checks stand in the reference system's order, and a refusal leaves nothing behind."""
    title = new.title.strip()
    if not title:
        raise BadRequest("A task needs a title.")
    workspace = str(workspaces.resolve(new.workspace, home))
    command = _command_of(new)
    defaults = workspaces.defaults_for(workspace)
    wanted = policy.from_json(new.policy or {}, presets.base(defaults, new.preset))
    if new.within_workspace:
        bounds.require(wanted, new.options, workspace)
    places.check(wanted.to_json())
    _refuse(
        new, policy.evaluate(wanted, command=command if new.runner == "shell" else None, workspace=workspace)
    )
    minutes = DEFAULT_BUDGET_MINUTES if new.budget_minutes is None else new.budget_minutes
    with transaction():
        at = now()
        task = Task.create(
            id=str(uuid4()),
            title=title,
            prompt=new.prompt.strip(),
            runner=new.runner,
            command=command,
            workspace=workspace,
            status=Status.QUEUED,
            budget_minutes=min(max(minutes, BUDGET_MINUTES[0]), BUDGET_MINUTES[1]),
            preset=presets.name_of(wanted, defaults),
            policy=wanted.to_json(),
            options=dict(new.options),
            labels=list(new.labels),
            priority=new.priority,
            base_ref=new.base_ref,
            target_branch=new.target_branch,
            group_id=new.group_id,
            created_at=at,
            updated_at=at,
        )
        found = [] if new.runner == "shell" else findings.drafts(wanted, task.prompt, "the goal")
        timeline.append(task.number, [Draft(Kind.LIFECYCLE, "Task created"), *found])
        audit.record(
            Act.CREATE,
            "task",
            task.id,
            title=title,
            runner=new.runner,
            command=command if new.runner == "shell" else None,
            workspace=workspace,
            preset=task.preset,
            policy_hash=wanted.digest(),
            group=new.group_id,
        )
    return get(task.id)


def _command_of(new: NewTask) -> str:
    known = fleet.runner(new.runner)
    if known is None:
        raise WrongShape(f"There is no runner {new.runner!r}.", field="runner")
    if new.runner == "shell":
        command = (new.command or "").strip()
        if not command:
            raise BadRequest("A shell task needs a command.")
        return command
    if not new.prompt.strip():
        raise BadRequest(f"A {new.runner} task needs a goal in its prompt.")
    agent_options.check(new.options, known.capabilities or {}, new.runner)
    shown = (known.capabilities or {}).get("display")
    return str(shown) if shown else fleet.DISPLAY.get(new.runner, f"{known.command} <goal>")


def _refuse(new: NewTask, objections: list[policy.Finding]) -> None:
    if objections:
        audit.record(
            Act.CREATE_REFUSED, "task", title=new.title, rule=objections[0].rule, reason=objections[0].message
        )
        raise PolicyViolation(objections[0].message, findings=[vars(found) for found in objections])
