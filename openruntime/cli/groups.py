"""`compare` and `pick`: the tasks for one goal beside each other, and the choice of one of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from openruntime.cli import ids, output
from openruntime.cli.client import task_path
from openruntime.cli.context import Invocation
from openruntime.cli.root import Command
from shared.errors import BadRequest

if TYPE_CHECKING:
    from openruntime.cli.client import Client

HEADS = ("", "id", "status", "runner", "checks", "lines", "files", "time", "tokens", "cost", "denied")
MICROS = 1_000_000


def path_of(client: Client, task_id: str) -> str:
    """The address of a task's group. Raises BadRequest where it has none."""
    group = client.get(task_path(task_id), events=0).get("group_id")
    if group is None:
        raise BadRequest(f"The task {ids.short(task_id)} has no group: it is the only one for its goal.")
    return f"/groups/{group}"


@click.command(cls=Command)
@click.option(
    "--files", is_flag=True, help="Which task changed which file; the same letter is the same version."
)
@click.argument("task_id", metavar="ID")
@click.pass_obj
def compare(invocation: Invocation, task_id: str, files: bool) -> None:
    """Show the tasks for one goal beside each other; ID is any of them."""
    client = invocation.client
    path = path_of(client, ids.task(client, task_id))
    group = client.get(path)
    found = client.get(f"{path}/files") if files else group
    if invocation.as_json:
        output.as_json(found)
    elif files:
        _print_files(group, found)
    else:
        rows = [(place, *_line(task, group)) for place, task in enumerate(group["tasks"], start=1)]
        output.table(HEADS, rows)


def _line(task: Mapping[str, Any], group: Mapping[str, Any]) -> tuple[Any, ...]:
    cost, changes = task.get("cost_ledger") or {}, task.get("changes") or {}
    waits = task.get("attention") if task["status"] == "needs-input" else None
    shown = [word for word in (_standing(task, group), waits) if word]
    return (
        ids.short(task["id"]),
        f"{task['status']} ({', '.join(shown)})" if shown else task["status"],
        " ".join([task["runner"], *(str(value) for value in (task.get("options") or {}).values())]),
        ", ".join(_check(check) for check in task.get("checks") or []),
        f"+{changes['added']} -{changes['removed']}" if changes else "",
        changes.get("files", ""),
        f"{cost.get('runtime_millis', 0) / 1000:.0f} s",
        cost.get("input_tokens", 0) + cost.get("output_tokens", 0),
        f"${(cost.get('cost_micros') or 0) / MICROS:.2f}",
        task.get("denied_calls", 0),
    )


def _standing(task: Mapping[str, Any], group: Mapping[str, Any]) -> str | None:
    if task["id"] == group.get("picked"):
        return "picked"
    return "archived" if task.get("archived_at") else None


def _check(check: Mapping[str, Any]) -> str:
    score = check.get("score")
    return f"{check['name']} {check['state']}" + (f" {score:g}" if score is not None else "")


def _print_files(group: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    places = {task["id"]: place for place, task in enumerate(group["tasks"], start=1)}
    columns = found["task_ids"]
    rows = []
    for file in found["files"]:
        made = {one["task_id"]: one for one in file["tasks"]}
        rows.append((*(_made(made.get(task), len(made)) for task in columns), file["path"]))
    output.table((*(f"task {places[task]}" for task in columns), "file"), rows)
    if found["total"] > len(rows):
        output.note(f"Only the first {len(rows)} of {found['total']} files.")


def _made(one: Mapping[str, Any] | None, touched: int) -> str:
    """What a task made of a file; with the letter of its version where several changed it."""
    if one is None:
        return ""
    version = f" {one['version']}" if touched > 1 else ""
    return f"+{one['additions']} -{one['deletions']}{version}"


@click.command(cls=Command)
@click.option("--undo", is_flag=True, help="Put the others back instead.")
@click.argument("task_id", metavar="ID")
@click.pass_obj
def pick(invocation: Invocation, task_id: str, undo: bool) -> None:
    """Keep one of the tasks for a goal: the others are stopped and archived until they are put back."""
    client = invocation.client
    whole = ids.task(client, task_id)
    path = path_of(client, whole)
    answer = client.post(f"{path}/unpick") if undo else client.post(f"{path}/pick", {"task_id": whole})
    if invocation.as_json:
        output.as_json(answer.body)
        return
    away = sum(bool(task.get("archived_at")) for task in answer.body["tasks"])
    said = "the others are back" if undo else f"picked; {away} archived"
    output.line(f"{ids.short(whole)}  {said}")
