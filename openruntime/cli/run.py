"""`run`: create a task and start it, and follow it if asked."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Any

import click

from openruntime.cli import ids, output
from openruntime.cli.client import Client, task_path
from openruntime.cli.context import Invocation
from openruntime.cli.exits import FAILED, INTERRUPTED, OK
from openruntime.cli.root import Command
from openruntime.cli.terminal import fit, one_line
from shared.errors import BadRequest, OpenRuntimeError
from shared.task_place import TaskPlace

TITLE_COLUMNS = 72
PRESETS = ("default", "auto-review", "full-access", "custom")
SUCCEEDED = ("completed", "ready-for-review")


@click.command(cls=Command)
@click.option(
    "-w", "--workspace", help="Folder, or the name of a registered one; the current folder otherwise."
)
@click.option(
    "-r",
    "--runner",
    "runners",
    multiple=True,
    help="Runner; the first available agent otherwise, else shell. Several make a task each, to compare.",
)
@click.option("--preset", type=click.Choice(PRESETS), help="Permission preset.")
@click.option("--budget", metavar="MIN", type=click.IntRange(1, 240), help="Runtime budget in minutes.")
@click.option("--env", "granted", metavar="NAME", multiple=True, help="Grant a secret or variable by name.")
@click.option("--in-place", is_flag=True, help="Edit the folder itself, which is in no git repository.")
@click.option("--title", help="Title; the first line of the goal otherwise.")
@click.option("--pty", is_flag=True, help="Give a shell task a terminal.")
@click.option(
    "--follow", "following", is_flag=True, help="Show its events; exit by the outcome. Ctrl-C detaches."
)
@click.argument("goal", metavar="GOAL...", nargs=-1, required=True)
@click.pass_obj
def run(
    invocation: Invocation,
    workspace: str | None,
    runners: tuple[str, ...],
    preset: str | None,
    budget: int | None,
    granted: tuple[str, ...],
    in_place: bool,
    title: str | None,
    pty: bool,
    following: bool,
    goal: tuple[str, ...],
) -> int:
    """Create a task for GOAL, start it, print its id.

    `run -r shell -- CMD ARG...` runs a command: several words as they are, one word as a shell line.
    """
    client = invocation.client
    chosen = runners[0] if runners else _first_available(client)
    if not runners and chosen == "shell" and not invocation.quiet:
        output.note("No agent is available here (see `openruntime runners`); GOAL runs as a shell command.")
    if following and len(runners) > 1:
        raise BadRequest("--follow shows one task; leave it out, then see `openruntime logs -f ID`.")
    if pty and chosen != "shell":
        raise BadRequest("--pty is for shell tasks: add `-r shell`.")
    body = {
        "workspace": _folder(client, workspace),
        **_what(chosen, goal, title),
        **{
            name: value
            for name, value in (("preset", preset), ("budget_minutes", budget))
            if value is not None
        },
        **({"pty": True} if pty else {}),
        **({"place": TaskPlace.IN_PLACE} if in_place else {}),
        **({"env": list(granted)} if granted else {}),
    }
    if len(runners) > 1:
        return _several(invocation, {**body, "variants": [{"runner": name} for name in runners]})
    task = client.post("/tasks", {**body, "runner": chosen}).body
    task = _start(client, task)
    _created(invocation, task, following)
    return _follow(invocation, str(task["id"])) if following else OK


def _several(invocation: Invocation, body: dict[str, Any]) -> int:
    """One task for each runner, all or none; each is started, and one that cannot start says so."""
    client = invocation.client
    group = client.post("/groups", body).body
    failed = 0
    for task in group["tasks"]:
        try:
            _start(client, task)
        except OpenRuntimeError as error:
            failed += 1
            output.note(str(error))
        if not invocation.as_json:
            output.line(task["id"])
    if invocation.as_json:
        output.as_json(client.get(f"/groups/{group['id']}"))
    elif not invocation.quiet:
        output.note(f"Compare them at /ui/groups/{group['id']}.")
    return FAILED if failed else OK


def _what(runner: str, goal: tuple[str, ...], title: str | None) -> dict[str, Any]:
    """The goal as the API takes it: a prompt for agents, a command for shell; with a title."""
    text = shlex.join(goal) if runner == "shell" and len(goal) > 1 else " ".join(goal)
    if not text.strip():
        raise BadRequest("GOAL is empty; say what is to be done.")
    named = title or fit(one_line(text.strip().splitlines()[0]), TITLE_COLUMNS)
    return {"title": named, "prompt": text, **({"command": text} if runner == "shell" else {})}


def _first_available(client: Client) -> str:
    agents = (row for row in client.get("/runners") if row["runner"] != "shell")
    return next((str(row["runner"]) for row in agents if row.get("available")), "shell")


def _folder(client: Client, given: str | None) -> str:
    """The absolute folder: the server has another current folder than the person."""
    if given is None:
        return os.getcwd()
    path = Path(given).expanduser()
    if path.is_dir() or os.sep in given:
        return os.path.abspath(path)
    named = [row["path"] for row in client.get("/workspaces") if given in (row.get("name"), row.get("id"))]
    if len(named) == 1:
        return str(named[0])
    if named:
        raise BadRequest(f"Several workspaces are named {given!r}; give the folder.")
    raise BadRequest(
        f"{given!r} is neither a folder nor the name of a workspace (see `openruntime workspaces`)."
    )


def _start(client: Client, task: dict[str, Any]) -> dict[str, Any]:
    """Start it; a refusal still says that the task exists."""
    try:
        started: dict[str, Any] = client.post(task_path(task["id"], "start")).body
    except OpenRuntimeError as error:
        raise OpenRuntimeError(
            f"Task {ids.short(task['id'])} was created but not started: {error}"
        ) from error
    return started


def _created(invocation: Invocation, task: dict[str, Any], following: bool) -> None:
    if invocation.as_json:
        output.json_line({"id": task["id"], "status": task["status"]}) if following else output.as_json(task)
    elif following:
        output.note(f"Task {task['id']}")
    else:
        output.line(task["id"])
    sys.stdout.flush()


def _follow(invocation: Invocation, task_id: str) -> int:
    from openruntime.cli.logs import follow

    try:
        task = follow(invocation, task_id)
    except KeyboardInterrupt:
        output.note(f"Detached; the agent goes on. See `openruntime logs -f {ids.short(task_id)}`.")
        return INTERRUPTED
    if not invocation.quiet:
        output.note(f"Task {ids.short(task_id)} is {task['status']}.")
    return OK if task["status"] in SUCCEEDED else FAILED
