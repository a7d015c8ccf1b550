"""`approve` and `deny`: answer what a task waits for, the start gate or a request of its agent."""

from __future__ import annotations

from typing import Any

import click

from openruntime.cli import ids, output
from openruntime.cli.client import Answer, task_path
from openruntime.cli.context import Invocation
from openruntime.cli.root import Command
from openruntime.cli.steering import send
from openruntime.cli.terminal import one_line
from shared.errors import Conflict


@click.command(cls=Command)
@click.option("--task", "for_task", is_flag=True, help="Allow the same for the rest of the task.")
@click.option("--reason", help="Why; kept with the decision.")
@click.argument("task_id", metavar="ID")
@click.argument("request_id", metavar="[REQUEST]", required=False)
@click.pass_obj
def approve(
    invocation: Invocation, task_id: str, request_id: str | None, for_task: bool, reason: str | None
) -> None:
    """Allow a task to start, or allow what its agent asks for."""
    whole = ids.task(invocation.client, task_id)
    request = _request(invocation, whole, request_id)
    if request is None and for_task:
        raise Conflict("The task waits for its start, not for an agent's request; approve it without --task.")
    if request is None:
        send(invocation, whole, "approve", {"note": reason} if reason else {})
        return
    if for_task and "task_rule" in request and request["task_rule"] is None:
        raise Conflict("No rule can be made of this request; approve it without --task.")
    note = {"note": reason} if reason else {}
    _decide(
        invocation, whole, request, {"decision": "allow", **({"scope": "task"} if for_task else {}), **note}
    )


@click.command(cls=Command)
@click.option("--reason", help="Why; the agent reads it.")
@click.argument("task_id", metavar="ID")
@click.argument("request_id", metavar="[REQUEST]", required=False)
@click.pass_obj
def deny(invocation: Invocation, task_id: str, request_id: str | None, reason: str | None) -> None:
    """Deny what a task's agent asks for; at the start gate: stop the task."""
    whole = ids.task(invocation.client, task_id)
    request = _request(invocation, whole, request_id)
    if request is None:
        send(invocation, whole, "stop")
    else:
        _decide(invocation, whole, request, {"decision": "deny", **({"note": reason} if reason else {})})


def _request(invocation: Invocation, task_id: str, wanted: str | None) -> dict[str, Any] | None:
    """The pending request meant, or None for the start gate. Raises Conflict when that is not one thing."""
    rows = invocation.client.get(task_path(task_id, "approvals"))
    if wanted:
        return dict(ids.pick(rows, wanted, "request", "title"))
    pending = [row for row in rows if row["status"] == "pending"]
    if len(pending) == 1:
        return dict(pending[0])
    if pending:
        listed = "; ".join(
            f"{ids.short(row['id'])} {one_line(str(row.get('title') or row['tool']))}" for row in pending
        )
        raise Conflict(f"{len(pending)} requests wait; name one: {listed}.")
    if not _gated(invocation.client.get(task_path(task_id), events=0)):
        raise Conflict(f"Nothing waits for a decision on task {ids.short(task_id)}.")
    return None


def _gated(task: dict[str, Any]) -> bool:
    """Whether the task waits for approval before a start (it has no live attempt then)."""
    current = task.get("current_attempt") or {}
    live = current.get("status") in ("queued", "running", "needs-input")
    required = (task.get("effective_policy") or task.get("policy") or {}).get("require_approval", False)
    return task["status"] in ("queued", "needs-input") and not live and bool(required)


def _decide(invocation: Invocation, task_id: str, request: dict[str, Any], body: dict[str, Any]) -> None:
    answer: Answer = invocation.client.post(task_path(task_id, "approvals", str(request["id"])), body)
    if invocation.as_json:
        output.as_json(answer.body)
    elif not invocation.quiet:
        said = answer.body.get("status") if isinstance(answer.body, dict) else None
        done = "accepted, not yet done" if answer.accepted_only else said or body["decision"]
        output.line(f"{ids.short(str(request['id']))}  {done}  {one_line(str(request.get('title') or ''))}")
