"""`logs`, and how an event is shown while a task is followed."""

from __future__ import annotations

import sys
from typing import Any

import click

from openruntime.cli import ids, output, terminal
from openruntime.cli.client import task_path
from openruntime.cli.context import Invocation
from openruntime.cli.follow import PAGE, Event, Follower, Task
from openruntime.cli.root import Command


class Narrator:
    """Shows events: what the agent printed on stdout, everything about it on stderr; JSON lines when asked."""

    def __init__(self, invocation: Invocation) -> None:
        self._json, self._quiet = invocation.as_json, invocation.quiet
        self._reason = ""

    def event(self, event: Event) -> None:
        metadata = event.get("metadata") or {}
        if metadata.get("category") in ("needs-input", "approval-request"):
            self._reason = str(metadata.get("reason") or event.get("message") or "")
        if self._json:
            output.json_line(event)
        elif event.get("kind") == "stdout":
            print(terminal.safe(str(event.get("message", ""))), flush=True)
        elif event.get("kind") == "stderr":
            print(terminal.safe(str(event.get("message", ""))), file=sys.stderr, flush=True)
        elif not self._quiet:
            for line in terminal.plain(str(event.get("message", ""))).rstrip("\n").split("\n"):
                self._aside(f"· {line}")

    def status_changed(self, task: Task) -> None:
        """Say what the agent waits for, and how to answer; only to a person at a terminal."""
        if task.get("status") != "needs-input" or not sys.stderr.isatty():
            return
        identity = ids.short(str(task["id"]))
        reason = terminal.one_line(self._reason)
        self._aside(f"The agent waits for you: {reason}" if reason else "The agent waits for you.")
        if task.get("attention") == "approval":
            self._aside(f"Decide with `openruntime approve {identity}` or `openruntime deny {identity}`.")
        else:
            self._aside(f"Answer with `openruntime reply {identity} TEXT`.")

    def server_lost(self) -> None:
        if not self._quiet:
            self._aside("The server is away; waiting for it to come back.")

    def _aside(self, text: str) -> None:
        print(click.style(text, dim=True) if sys.stderr.isatty() else text, file=sys.stderr, flush=True)


def follow(invocation: Invocation, task_id: str, *, after: int = 0) -> Task:
    """Show a task's events until it has ended; returns the task as it then is."""
    narrator = Narrator(invocation)
    follower = Follower(
        invocation.client,
        task_id,
        after=after,
        status_changed=narrator.status_changed,
        server_lost=narrator.server_lost,
    )
    for event in follower:
        narrator.event(event)
    return follower.task


@click.command(cls=Command)
@click.option("-f", "--follow", "following", is_flag=True, help="Go on until the task has ended.")
@click.argument("task_id", metavar="ID")
@click.pass_obj
def logs(invocation: Invocation, task_id: str, following: bool) -> None:
    """Print what a task's agent wrote.

    The agent's output goes to stdout; its errors and what happened to the task go to stderr.
    """
    whole = ids.task(invocation.client, task_id)
    if following:
        follow(invocation, whole)
        return
    narrator, seq = Narrator(invocation), 0
    while page := _page(invocation, whole, seq):
        for event in page:
            narrator.event(event)
        seq = page[-1]["seq"]


def _page(invocation: Invocation, task_id: str, after: int) -> list[dict[str, Any]]:
    page = invocation.client.get(task_path(task_id, "events"), after=after, limit=PAGE)
    return [event for event in page if event["seq"] > after]
