"""`delete`, `deleted` and `undelete`: tasks leave every list, and can be put back for a while."""

from __future__ import annotations

from typing import Any

import click

from openruntime.cli import ids, output
from openruntime.cli.client import Answer, task_path
from openruntime.cli.context import Invocation
from openruntime.cli.root import Command

DELETED = "/deleted-tasks"


@click.command(cls=Command)
@click.option("--for-good", is_flag=True, help="Delete a deleted task for good, before its 30 days are over.")
@click.argument("task_id", metavar="ID")
@click.pass_obj
def delete(invocation: Invocation, task_id: str, for_good: bool) -> None:
    """Delete a task that has no worktree any more; `undelete` puts it back within 30 days."""
    wanted = _deleted(invocation, task_id) if for_good else ids.task(invocation.client, task_id)
    answer: Answer = invocation.client.delete(f"{DELETED}/{wanted}" if for_good else task_path(wanted))
    if invocation.as_json:
        output.as_json(answer.body or {"task_id": wanted, "pending_command": None})
    elif not invocation.quiet:
        said = "delete accepted, not yet done" if answer.accepted_only else "deleted"
        output.line(f"{ids.short(wanted)}  {said}{' for good' if for_good else ''}")


@click.command(cls=Command)
@click.pass_obj
def deleted(invocation: Invocation) -> None:
    """List the deleted tasks that can be put back."""
    rows: list[dict[str, Any]] = invocation.client.get(DELETED)
    if invocation.as_json:
        output.as_json(rows)
    else:
        lines = [
            (ids.short(row["id"]), row["deleted_at"][:10], row["kept_until"][:10], row["title"])
            for row in rows
        ]
        output.table(("id", "deleted", "kept until", "title"), lines)


@click.command(cls=Command)
@click.argument("task_id", metavar="ID")
@click.pass_obj
def undelete(invocation: Invocation, task_id: str) -> None:
    """Put a deleted task back, with all that was recorded of it."""
    wanted = _deleted(invocation, task_id)
    task = invocation.client.post(f"{DELETED}/{wanted}/restore").body
    if invocation.as_json:
        output.as_json(task)
    elif not invocation.quiet:
        output.line(f"{ids.short(wanted)}  put back, {task['status']}")


def _deleted(invocation: Invocation, prefix: str) -> str:
    """The whole id of the one deleted task whose id begins so."""
    rows = invocation.client.get(DELETED)
    return str(ids.pick(rows, prefix.strip(), "deleted task", "title")["id"])
