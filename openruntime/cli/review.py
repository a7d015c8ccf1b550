"""`diff`, `verify`, `merge`, `cleanup`, `undo`: review a task's changes, land them, and take that back."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import Any

import click

from openruntime.cli import comparing, ids, output, terminal
from openruntime.cli.client import Answer, task_path
from openruntime.cli.context import Invocation
from openruntime.cli.root import Command
from shared.errors import Conflict, Unavailable

#: Between two looks at checks that take longer than one answer waits.
LOOK_SECONDS = 0.5
SINCE = ("turn", "review")
STRATEGIES = ("squash", "merge", "rebase", "apply")
HEADINGS = (
    "diff ",
    "index ",
    "--- ",
    "+++ ",
    "new file",
    "deleted file",
    "rename ",
    "similarity ",
    "old mode",
)


@click.command(cls=Command)
@click.option("--stat", is_flag=True, help="Only which files, and how much.")
@click.option(
    "--since",
    type=click.Choice(SINCE),
    help="Only what changed since the last turn began, or since your review.",
)
@click.option("--attempt", type=click.IntRange(1), metavar="N", help="Only what this attempt changed.")
@click.option("--from", "old", metavar="POINT", help="Only what changed after this state; --to names them.")
@click.option(
    "--to",
    "new",
    metavar="POINT",
    help="Only what changed up to this state: base, latest, turn, review, attempt-N, before-attempt-N, or a capture's id.",
)
@click.argument("task_id", metavar="ID[..ID]")
@click.pass_obj
def diff(
    invocation: Invocation,
    task_id: str,
    stat: bool,
    since: str | None,
    attempt: int | None,
    old: str | None,
    new: str | None,
) -> None:
    """Print what a task changed, all of it or between two of its states; or what would turn one task of a group into
    another.

    On a terminal in colour; in a pipe the patch exactly as captured, for `git apply`.
    """
    found = comparing.found(invocation.client, task_id, comparing.states(since, attempt, old, new))
    if found.get("note"):
        output.note(str(found["note"]))
    if invocation.as_json:
        output.as_json({key: value for key, value in found.items() if key != "patch"} if stat else found)
    elif stat:
        output.line(str(found.get("stat") or "").rstrip("\n") or "No changes.")
    else:
        _patch(invocation, str(found.get("patch") or ""))
        if found.get("truncated"):
            output.note("The patch was cut; see single files in the browser.")


def _patch(invocation: Invocation, patch: str) -> None:
    if not output.on_terminal():
        output.exact(patch)
    elif patch:
        for row in patch.split("\n")[: None if not patch.endswith("\n") else -1]:
            print(_coloured(terminal.plain(row)))
    elif not invocation.quiet:
        output.note("No changes.")


def _coloured(row: str) -> str:
    if row.startswith(HEADINGS):
        return click.style(row, bold=True)
    colour = {"+": "green", "-": "red", "@": "cyan"}.get(row[:1])
    return click.style(row, fg=colour) if colour else row


@click.command(cls=Command)
@click.option("--strategy", type=click.Choice(STRATEGIES), help="How to land; squash otherwise.")
@click.option("--message", help="Commit message.")
@click.option("--onto", metavar="BRANCH", help="Another branch than the task's.")
@click.option("--override", multiple=True, metavar="KIND", help="Land in spite of objections of this kind.")
@click.argument("task_id", metavar="ID")
@click.pass_obj
def merge(
    invocation: Invocation,
    task_id: str,
    strategy: str | None,
    message: str | None,
    onto: str | None,
    override: tuple[str, ...],
) -> None:
    """Land a task's changes on its target branch."""
    whole = ids.task(invocation.client, task_id)
    given = {
        "strategy": strategy,
        "message": message,
        "target_branch": onto,
        "override": list(override) or None,
    }
    body = {name: value for name, value in given.items() if value is not None}
    with output.progress(f"Landing {ids.short(whole)}"):
        answer = invocation.client.post(task_path(whole, "worktree", "merge"), body)
        if answer.accepted_only:
            answer = _landed_late(invocation, whole, answer)
    _landed(invocation, whole, "merge", answer)


@click.command(cls=Command)
@click.option(
    "--force", is_flag=True, help="Also when unmerged work goes (a recovery ref is kept for 30 days)."
)
@click.argument("task_id", metavar="ID")
@click.pass_obj
def cleanup(invocation: Invocation, task_id: str, force: bool) -> None:
    """Remove a task's worktree."""
    whole = ids.task(invocation.client, task_id)
    with output.progress(f"Cleaning up {ids.short(whole)}"):
        answer = invocation.client.post(
            task_path(whole, "worktree", "cleanup"), {"force": True} if force else {}
        )
    _landed(invocation, whole, "cleanup", answer)


@click.command(cls=Command)
@click.option("--again", is_flag=True, help="Also checks that have a result for this tree.")
@click.argument("task_id", metavar="ID")
@click.pass_obj
def verify(invocation: Invocation, task_id: str, again: bool) -> None:
    """Run a task's checks on what would land; exits 1 when a required one does not pass."""
    whole = ids.task(invocation.client, task_id)
    with output.progress(f"Checking {ids.short(whole)}"):
        answer = invocation.client.post(task_path(whole, "verify"), {"again": True} if again else {})
        if answer.accepted_only and not invocation.client.get("/health")["workers"]:
            raise Unavailable("No worker is running; the checks wait for one.")
        found = (_once_done(invocation, whole, "verify") if answer.accepted_only else answer.body)["checks"]
    if invocation.as_json:
        output.as_json(found)
    else:
        rows = [
            (one["name"], one["state"], one["mode"], one.get("score"), one.get("note") or "") for one in found
        ]
        output.table(("check", "state", "mode", "score", "note"), rows)
    failing = [one["name"] for one in found if one["mode"] == "required" and one["state"] != "passed"]
    if failing:
        raise Conflict(f"Not passed: {', '.join(failing)}.")


def _landed_late(invocation: Invocation, task_id: str, accepted: Answer) -> Answer:
    """The answer of a merge that took longer than the server waits; raises Conflict when nothing landed."""
    if not invocation.client.get("/health")["workers"]:
        return accepted
    task = _once_done(invocation, task_id, "merge")
    if not task["worktree_merged_at"]:
        raise Conflict(f"The merge was refused; `openruntime logs {ids.short(task_id)}` ends with why.")
    return Answer(HTTPStatus.OK, {"task": task, "message": "Merged"})


def _once_done(invocation: Invocation, task_id: str, kind: str) -> dict[str, Any]:
    """The task once its accepted command of this kind has ended."""
    while True:
        task: dict[str, Any] = invocation.client.get(task_path(task_id), events=0)
        if (task.get("pending_command") or {}).get("kind") != kind:
            return task
        time.sleep(LOOK_SECONDS)


@click.command(cls=Command)
@click.option("--mark", is_flag=True, help="Mark conflicts in the worktree's files instead of refusing.")
@click.option("--ask", is_flag=True, help="Mark them, and have the agent resolve them in its session.")
@click.option("--onto", metavar="BRANCH", help="Another branch than the task's.")
@click.argument("task_id", metavar="ID")
@click.pass_obj
def rebase(invocation: Invocation, task_id: str, mark: bool, ask: bool, onto: str | None) -> None:
    """Bring a task's work onto the tip of its target branch."""
    whole = ids.task(invocation.client, task_id)
    given = {"conflicts": "mark" if mark or ask else None, "ask": ask or None, "target_branch": onto}
    body = {name: value for name, value in given.items() if value is not None}
    with output.progress(f"Rebasing {ids.short(whole)}"):
        answer = invocation.client.post(task_path(whole, "worktree", "rebase"), body)
    _landed(invocation, whole, "rebase", answer)


@click.command(cls=Command)
@click.option("--dry-run", is_flag=True, help="Only say what it would do.")
@click.argument("task_id", metavar="ID")
@click.pass_obj
def undo(invocation: Invocation, task_id: str, dry_run: bool) -> None:
    """Take a task's last landing back, and bring its removed worktree back."""
    whole = ids.task(invocation.client, task_id)
    if dry_run:
        _foretold(invocation, invocation.client.post(task_path(whole, "undo", "preview")).body)
        return
    with output.progress(f"Undoing {ids.short(whole)}"):
        answer = invocation.client.post(task_path(whole, "undo"))
    _landed(invocation, whole, "undo", answer)


def _foretold(invocation: Invocation, found: dict[str, Any]) -> None:
    if invocation.as_json:
        output.as_json(found)
        return
    output.line(found.get("says") or "No worker has looked at this yet; try again in a moment.")
    for item in [*found.get("conflicts", []), *found.get("blocking", [])]:
        output.line(f"in the way: {item['path']} ({item['why']})")
    for path in found.get("files", []):
        output.line(f"  {path}")


def _landed(invocation: Invocation, task_id: str, verb: str, answer: Answer) -> None:
    body: dict[str, Any] = answer.body if isinstance(answer.body, dict) else {}
    if invocation.as_json:
        output.as_json(body)
    elif not invocation.quiet:
        pending = f"{verb} accepted, not yet done"
        output.line(
            f"{ids.short(task_id)}  {pending if answer.accepted_only else body.get('message') or 'done'}"
        )
