"""`start`, `reply`, `stop` and `interrupt`: steer a task."""

from __future__ import annotations

from typing import Any

import click

from openruntime.cli import ids, output
from openruntime.cli.client import Answer, task_path
from openruntime.cli.context import Invocation
from openruntime.cli.root import Command
from shared.errors import BadRequest


def send(invocation: Invocation, task_id: str, verb: str, body: dict[str, Any] | None = None) -> None:
    """POST a verb to a task and say what became of it."""
    answer = invocation.client.post(task_path(task_id, *verb.split("/")), body)
    report(invocation, task_id, verb, answer)


def report(invocation: Invocation, task_id: str, verb: str, answer: Answer) -> None:
    """One line about the effect; an accepted command without an effect yet is called just that."""
    task = answer.body if isinstance(answer.body, dict) else {}
    if invocation.as_json:
        output.as_json(task)
    elif invocation.quiet:
        return
    elif answer.accepted_only:
        kind = (task.get("pending_command") or {}).get("kind") or verb
        output.line(f"{ids.short(task_id)}  {kind} accepted, not yet done (task is {task.get('status')})")
    else:
        output.line(f"{ids.short(task_id)}  {_effect(task)}")


def _effect(task: dict[str, Any]) -> str:
    delivery = task.get("delivery")
    queued = delivery == "queued"
    return f"{task.get('status')}{' (reply queued until the agent can read it)' if queued else ''}"


@click.command(cls=Command)
@click.option("--resume", is_flag=True, help="Continue the agent's old session instead of a fresh one.")
@click.argument("task_id", metavar="ID")
@click.pass_obj
def start(invocation: Invocation, task_id: str, resume: bool) -> None:
    """Start a task, or start an ended one again in the same worktree."""
    send(invocation, ids.task(invocation.client, task_id), "start", {"resume": True} if resume else {})


@click.command(cls=Command)
@click.argument("task_id", metavar="ID")
@click.argument("text", metavar="TEXT...", nargs=-1, required=True)
@click.pass_obj
def reply(invocation: Invocation, task_id: str, text: tuple[str, ...]) -> None:
    """Send a message to a task's agent."""
    message = " ".join(text)
    if not message.strip():
        raise BadRequest("The reply is empty.")
    send(invocation, ids.task(invocation.client, task_id), "reply", {"message": message})


@click.command(cls=Command)
@click.argument("task_id", metavar="ID")
@click.pass_obj
def stop(invocation: Invocation, task_id: str) -> None:
    """Stop a task and every process it started."""
    send(invocation, ids.task(invocation.client, task_id), "stop")


@click.command(cls=Command)
@click.argument("task_id", metavar="ID")
@click.pass_obj
def interrupt(invocation: Invocation, task_id: str) -> None:
    """End the agent's turn; the attempt goes on (a shell task gets SIGINT)."""
    send(invocation, ids.task(invocation.client, task_id), "interrupt")
