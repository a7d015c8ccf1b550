"""Whether a task may start now: what its frozen policy, its grants, its budget and its runner say."""

from __future__ import annotations

from shared import fleet, policy
from shared.agents import trust
from shared.costs import ledger
from shared.errors import Conflict, NotReady, Refused
from shared.lifecycle import Status
from shared.policy.report import unkept
from shared.secrets import keeping
from shared.store.models import Task


def objection(task: Task, *, is_approved: bool, resume: bool) -> Refused | None:
    """What refuses a start, the first of it; None when nothing does."""
    frozen = policy.in_force(task)
    findings = policy.evaluate(
        frozen, command=task.command if task.runner == "shell" else None, workspace=task.workspace
    )
    if findings:
        return NotReady(findings[0].message)
    if frozen.require_approval and not is_approved:
        return NotReady("The task needs approval before it starts.")
    if ungranted := keeping.refusal(task):
        return NotReady(ungranted)
    if untrusted := trust.refusal(task):
        return untrusted
    if used_up := ledger.over_budget(task):
        return NotReady(f"{used_up[:-1]}; go on in a new task, or with a larger budget in one.")
    known = fleet.runner(task.runner)
    if known is not None and not known.available and fleet.live_workers():
        return NotReady(
            f"The runner {task.runner} is not available: {known.detail or 'its program is missing'}."
        )
    if weak := unkept(frozen, fleet.grounds().get(task.runner)):
        return NotReady(weak)
    if resume and task.runner == "shell":
        return Conflict("A shell task has no session to resume; start it again without resume.")
    if resume and not task.runner_session_id:
        return Conflict("There is no agent session to resume; start the task again without resume.")
    waiting = [id for id in task.options.get("depends_on", []) if not _is_done(id)]
    if waiting:
        return NotReady(f"The task depends on {waiting[0]}, which is not completed.")
    return None


def _is_done(task_id: str) -> bool:
    found = Task.get_or_none(Task.id == task_id)
    return found is not None and found.status in (Status.COMPLETED, Status.READY_FOR_REVIEW)
