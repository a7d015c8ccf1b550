"""`runners`, `sessions` and `workspaces`: what this machine offers."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import quote

import click

from openruntime.cli import ids, output
from openruntime.cli.context import Invocation
from openruntime.cli.root import Command, Group
from shared.errors import NotFound


@click.command(cls=Command)
@click.pass_obj
def runners(invocation: Invocation) -> None:
    """List runners: whether each is available, and what to do where it is not."""
    rows = invocation.client.get("/runners")
    if invocation.as_json:
        output.as_json(rows)
        return
    shown = [
        (
            row["runner"],
            "yes" if row["available"] else "no",
            row.get("version"),
            row.get("detail") or row.get("command"),
        )
        for row in rows
    ]
    output.table(("runner", "available", "version", "detail"), shown)


@click.command(cls=Command)
@click.option("-r", "--runner", metavar="NAME", help="Only this runner's.")
@click.option("-n", "--limit", type=click.IntRange(min=1), metavar="N", help="Only the latest N.")
@click.argument("words", nargs=-1)
@click.pass_obj
def sessions(invocation: Invocation, runner: str | None, limit: int | None, words: tuple[str, ...]) -> None:
    """List the sessions of Codex and Claude on this machine, ours and your own, newest first.

    WORDS are looked for in titles, folders, last messages and ids.
    """
    found = _sessions(invocation, runner=runner, q=" ".join(words) or None, limit=limit)
    if invocation.as_json:
        output.as_json(found)
        return
    shown = [
        (
            row["updated_at"][:16].replace("T", " "),
            row["runner"],
            row["session_id"],
            ids.short(row["openruntime_task_id"]) if row["openruntime_task_id"] else "",
            row["message_count"],
            row["workspace"],
            row["title"] or row["last_message"],
        )
        for row in found["sessions"]
    ]
    output.table(("updated", "runner", "session", "task", "messages", "workspace", "title"), shown)


def _sessions(invocation: Invocation, *, limit: int | None, **query: str | None) -> dict[str, Any]:
    """One answer with the sessions of all its pages, or the first `limit`."""
    whole: dict[str, Any] = {}
    following: str | None = None
    rows: list[dict[str, Any]] = []
    while not whole or (following and (limit is None or len(rows) < limit)):
        left = None if limit is None else limit - len(rows)
        whole = invocation.client.get("/runner-sessions", limit=left, cursor=following, **query)
        rows += whole["sessions"]
        following = whole.get("next_cursor")
    return {**whole, "sessions": rows}


@click.group(cls=Group, invoke_without_command=True)
@click.pass_context
def workspaces(context: click.Context) -> None:
    """List, register and forget folders that tasks may run in."""
    if context.invoked_subcommand is None:
        _list(context.ensure_object(Invocation))


@workspaces.command("ls")
@click.pass_obj
def workspaces_ls(invocation: Invocation) -> None:
    """List workspaces."""
    _list(invocation)


@workspaces.command("add")
@click.argument("path", default=".", type=click.Path(exists=True, file_okay=False))
@click.pass_obj
def workspaces_add(invocation: Invocation, path: str) -> None:
    """Register a folder."""
    row = invocation.client.post("/workspaces/register", {"path": os.path.abspath(path)}).body
    if invocation.as_json:
        output.as_json(row)
    elif not invocation.quiet:
        output.line(f"{row['name']}  {row['path']}")


@workspaces.command("rm")
@click.argument("which", metavar="NAME|PATH|ID")
@click.pass_obj
def workspaces_rm(invocation: Invocation, which: str) -> None:
    """Forget a registered folder; nothing in it is touched."""
    row = _find(invocation.client.get("/workspaces"), which)
    invocation.client.delete(f"/workspaces/{quote(str(row['id']), safe='')}")
    if invocation.as_json:
        output.as_json(row)
    elif not invocation.quiet:
        output.line(f"{row['name']}  forgotten")


@workspaces.command("trust")
@click.argument("path", default=".", type=click.Path(exists=True, file_okay=False))
@click.option("--yes", is_flag=True, help="Trust every file that waits.")
@click.pass_obj
def workspaces_trust(invocation: Invocation, path: str, yes: bool) -> None:
    """What its repository configures for agents: list it, or trust what waits."""
    from shared.workspaces import workspace_id

    place = f"/workspaces/{workspace_id(os.path.realpath(path))}/trust"
    rows = invocation.client.get(place)
    newest = {(row["runner"], row["path"]): row for row in reversed(rows)}.values()
    waiting = [{"path": row["path"], "digest": row["digest"]} for row in newest if not row["trusted_at"]]
    if yes and waiting:
        rows = invocation.client.post(place, {"files": waiting}).body
    if invocation.as_json:
        output.as_json(rows)
    elif not invocation.quiet:
        states = [row["problem"] or ("trusted" if row["trusted_at"] else "waits") for row in rows]
        cells = [(row["path"], row["digest"][:12], state) for row, state in zip(rows, states, strict=True)]
        output.table(("path", "digest", "state"), cells)


def _list(invocation: Invocation) -> None:
    rows = invocation.client.get("/workspaces")
    if invocation.as_json:
        output.as_json(rows)
    else:
        output.table(("name", "path"), [(row["name"], row["path"]) for row in rows])


def _find(rows: list[dict[str, Any]], which: str) -> dict[str, Any]:
    """The registered workspace with this path, name or beginning of an id."""
    known = [row for row in rows if row.get("id")]
    path = os.path.realpath(os.path.expanduser(which))
    named = [row for row in known if row["path"] == path] or [row for row in known if row["name"] == which]
    if len(named) == 1:
        return named[0]
    if not named and any(row["name"] == which or row["path"] == path for row in rows):
        raise NotFound(f"{which!r} is not registered; it is listed because tasks ran there.")
    return dict(ids.pick(named or known, which if not named else "", "workspace", "path"))
