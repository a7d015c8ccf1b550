"""`ps`, `show` and `attach`: look at tasks."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from typing import Any

import click

from openruntime.cli import ids, output
from openruntime.cli.client import task_path
from openruntime.cli.context import Invocation
from openruntime.cli.root import Command
from shared.errors import Conflict
from shared.lifecycle import Status

STEPS = ((86400, "d"), (3600, "h"), (60, "min"))


@click.command(cls=Command)
@click.option(
    "--status", type=click.Choice([status.value for status in Status]), help="Only tasks in this state."
)
@click.option(
    "-n", "--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="At most this many."
)
@click.pass_obj
def ps(invocation: Invocation, status: str | None, limit: int) -> None:
    """List tasks, the latest first."""
    answer: list[dict[str, Any]] = []
    for page in invocation.client.pages("/tasks", limit=limit, events=0, status=status):
        answer += page
        if len(answer) >= limit:
            break
    shown, more = answer[:limit], len(answer) > limit
    if invocation.as_json:
        output.as_json(shown)
        return
    rows = [
        (ids.short(task["id"]), _state(task), task["runner"], _ago(task["updated_at"]), task["title"])
        for task in shown
    ]
    output.table(("id", "status", "runner", "updated", "title"), rows)
    if more and not invocation.quiet:
        output.note(f"Only the latest {limit}; see more with `--limit`.")


def _state(task: dict[str, Any]) -> str:
    waiting = task.get("queue_position")
    return f"queued #{waiting}" if task["status"] == "queued" and waiting else str(task["status"])


def _ago(moment: str | None) -> str:
    """How long ago an RFC 3339 time was, in its largest unit."""
    if not moment:
        return ""
    try:
        seconds = (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()
    except ValueError:
        return moment
    return next(
        (f"{int(seconds // size)} {unit}" for size, unit in STEPS if seconds >= size),
        f"{max(0, int(seconds))} s",
    )


@click.command(cls=Command)
@click.argument("task_id", metavar="ID")
@click.pass_obj
def show(invocation: Invocation, task_id: str) -> None:
    """Show a task: its state, attempts, and what its policy enforces here."""
    task = invocation.client.get(task_path(ids.task(invocation.client, task_id)))
    if invocation.as_json:
        output.as_json(task)
        return
    output.pairs(_facts(task))
    if attempts := task.get("attempts"):
        print()
        output.table(
            ("attempt", "status", "started", "finished", "exit"), [_attempt(row) for row in attempts]
        )
    if report := task.get("policy_report"):
        print()
        output.table(("policy", "here", "why"), [_policy(field, row) for field, row in report.items()])


def _facts(task: dict[str, Any]) -> list[tuple[str, Any]]:
    cost = task.get("cost_ledger") or {}
    return [
        ("id", task["id"]),
        ("title", task["title"]),
        ("status", _state(task)),
        ("reason", task.get("stop_reason")),
        ("needs you for", task.get("attention")),
        ("pending", (task.get("pending_command") or {}).get("kind")),
        ("runner", task["runner"]),
        ("agent session", task.get("runner_session_id")),
        ("command", task.get("command")),
        ("preset", task.get("preset")),
        ("workspace", task["workspace"]),
        ("works in", task.get("place")),
        ("worktree", task.get("worktree_path")),
        ("branch", task.get("branch")),
        ("lands on", task.get("target_branch")),
        ("changes", task.get("diff_stat")),
        ("budget", f"{task['budget_minutes']} min" if task.get("budget_minutes") else None),
        (
            "tokens",
            f"{cost['input_tokens']} in, {cost['output_tokens']} out" if cost.get("output_tokens") else None,
        ),
        ("created", task.get("created_at")),
        ("updated", task.get("updated_at")),
        ("merged", task.get("worktree_merged_at")),
        ("cleaned up", task.get("worktree_cleaned_at")),
    ]


def _attempt(row: dict[str, Any]) -> tuple[Any, ...]:
    why = row.get("exit_status") or row.get("stop_reason") or row.get("blocked_reason")
    return row["attempt_number"], row["status"], row.get("started_at"), row.get("finished_at"), why


def _policy(field: str, row: Any) -> tuple[Any, ...]:
    if isinstance(row, dict):
        return field, row.get("state") or row.get("status") or row.get("level"), row.get("reason")
    if isinstance(row, list | tuple):
        return field, row[0], " ".join(str(part) for part in row[1:])
    return field, row, ""


@click.command(cls=Command)
@click.argument("task_id", metavar="ID")
@click.pass_obj
def attach(invocation: Invocation, task_id: str) -> None:
    """Print the command that continues a task's agent session in your own terminal."""
    whole = ids.task(invocation.client, task_id)
    found = invocation.client.post(task_path(whole, "runner", "attach")).body
    if invocation.as_json:
        output.as_json(found)
        return
    if not found.get("supported"):
        raise Conflict(found.get("message") or "This task has no agent session to attach to.")
    output.line(_command_line(found))


def _command_line(found: dict[str, Any]) -> str:
    """One line to paste into a shell: the folder and the environment the session needs, then the command."""
    words = [f"{name}={shlex.quote(str(value))}" for name, value in (found.get("env") or {}).items()]
    line = " ".join([*words, str(found["command"])])
    return f"cd {shlex.quote(found['cwd'])} && {line}" if found.get("cwd") else line
