"""`push`: a task's work, or what it landed as, to a branch of a remote, and a pull request of it."""

from __future__ import annotations

from typing import Any

import click

from openruntime.cli import ids, output, terminal
from openruntime.cli.client import Answer, task_path
from openruntime.cli.context import Invocation
from openruntime.cli.root import Command


@click.command(cls=Command)
@click.option("--remote", metavar="NAME", help="Another remote than origin, or the only one.")
@click.option("--branch", metavar="BRANCH", help="Another branch there than the task's, or the landed one.")
@click.option("--message", help="Commit message, for work that has not landed.")
@click.option("--override", multiple=True, metavar="KIND", help="Push in spite of objections of this kind.")
@click.option("--pull-request", "--pr", is_flag=True, help="Open a pull request too, by gh or glab.")
@click.option("--title", help="Title of the pull request.")
@click.option("--body", help="Text of the pull request.")
@click.option("--draft", is_flag=True, help="Open it as a draft.")
@click.option("--dry-run", is_flag=True, help="Only show the commands, and what is in the way.")
@click.argument("task_id", metavar="ID")
@click.pass_obj
def push(
    invocation: Invocation,
    task_id: str,
    remote: str | None,
    branch: str | None,
    message: str | None,
    override: tuple[str, ...],
    pull_request: bool,
    title: str | None,
    body: str | None,
    draft: bool,
    dry_run: bool,
) -> None:
    """Push a task's work, or what it landed as, to a branch of a remote, with your own git credentials."""
    whole = ids.task(invocation.client, task_id)
    told = {"title": title, "body": body, "draft": draft or None}
    asked = _given(told)
    given = {
        "remote": remote,
        "branch": branch,
        "message": message,
        "override": list(override) or None,
        "pull_request": asked if pull_request or asked else None,
    }
    if dry_run:
        _foretold(invocation, invocation.client.post(task_path(whole, "push", "preview"), _given(given)))
        return
    with output.progress(f"Pushing {ids.short(whole)}"):
        answer = invocation.client.post(task_path(whole, "push"), _given(given))
    _told(invocation, whole, answer)


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _foretold(invocation: Invocation, answer: Answer) -> None:
    found: dict[str, Any] = answer.body
    if invocation.as_json:
        output.as_json(found)
        return
    if answer.accepted_only:
        output.line("No worker has looked at this yet; try again in a moment.")
        return
    proposal = found.get("pull_request") or {}
    for command in [*found["commands"], *([proposal["command"]] if proposal.get("command") else [])]:
        output.line(terminal.plain(command))
    for one in [*found["conflicts"], *found["blocking"]]:
        output.line(
            f"in the way: {one['path']} ({one['why']})" if one["path"] else f"in the way: {one['why']}"
        )


def _told(invocation: Invocation, task_id: str, answer: Answer) -> None:
    if invocation.as_json:
        output.as_json(answer.body)
        return
    if answer.accepted_only:
        output.line(f"{ids.short(task_id)}  push accepted, not yet done")
        return
    done: dict[str, Any] = answer.body
    output.line(f"{ids.short(task_id)}  {done['message']}")
    if refused := done.get("pull_request_refused"):
        output.note(refused)
    if address := done.get("pull_request_url") or done.get("compare_url"):
        output.line(terminal.one_line(address))
