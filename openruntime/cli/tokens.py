"""`token`: credentials for programs that use the API."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import click

from openruntime.cli import ids, output
from openruntime.cli.context import Invocation
from openruntime.cli.root import Command, Group

UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@click.group(cls=Group, invoke_without_command=True)
@click.pass_context
def token(context: click.Context) -> None:
    """Create, list and revoke tokens for programs.

    A token reads, creates, starts, answers and stops tasks. It never approves, merges or changes a policy.
    """
    if context.invoked_subcommand is None:
        _list(context.ensure_object(Invocation))


@token.command("create", cls=Command)
@click.option("--name", default="", metavar="TEXT", help="What it is for.")
@click.option("--expires", metavar="WHEN", help="30d, 12h, a date, or never; 90 days unless given.")
@click.pass_obj
def token_create(invocation: Invocation, name: str, expires: str | None) -> None:
    """Print a new token; it is shown this once."""
    body: dict[str, Any] = {"name": name}
    if expires is not None:
        body["expires_at"] = None if expires == "never" else _instant(expires)
    made = invocation.client.post("/tokens", body).body
    if invocation.as_json:
        output.as_json(made)
        return
    output.line(made["token"])
    if not invocation.quiet:
        until = f"until {made['expires_at'][:16]}Z" if made["expires_at"] else "until it is revoked"
        output.note(f"Token {ids.short(made['id'])} ({made['name']}) is good {until}. It is not shown again.")


@token.command("ls", cls=Command)
@click.pass_obj
def token_ls(invocation: Invocation) -> None:
    """List tokens."""
    _list(invocation)


@token.command("revoke", cls=Command)
@click.argument("which", metavar="ID|NAME")
@click.pass_obj
def token_revoke(invocation: Invocation, which: str) -> None:
    """End a token at once."""
    rows = _all(invocation)
    named = [row for row in rows if row["name"] == which]
    row = named[0] if len(named) == 1 else ids.pick(rows, which, "token", "name")
    invocation.client.delete(f"/tokens/{quote(str(row['id']), safe='')}")
    if invocation.as_json:
        output.as_json(row)
    elif not invocation.quiet:
        output.line(f"{ids.short(row['id'])}  {row['name']}  revoked")


def _list(invocation: Invocation) -> None:
    rows = _all(invocation)
    if invocation.as_json:
        output.as_json(rows)
        return
    shown = [
        (
            ids.short(row["id"]),
            row["name"],
            row["created_at"][:10],
            ("expired " if row["expired"] else "") + (row["expires_at"] or "never")[:10],
            (row["last_used_at"] or "never")[:16].replace("T", " "),
        )
        for row in rows
    ]
    output.table(("id", "name", "created", "expires", "last used"), shown)


def _all(invocation: Invocation) -> list[dict[str, Any]]:
    return [row for page in invocation.client.pages("/tokens") for row in page]


def _instant(text: str) -> str:
    """`30d` from now, or a date, as RFC 3339; raises UsageError."""
    from datetime import timedelta

    from shared.clock import now, parse, rfc3339

    try:
        if match := re.fullmatch(r"([0-9]{1,5})([mhdw])", text):
            return str(rfc3339(now() + timedelta(**{UNITS[match[2]]: int(match[1])})))
        return str(rfc3339(parse(text)))
    except (ValueError, OverflowError):
        raise click.UsageError(f"--expires takes 30d, 12h, 2026-12-31 or never, not {text!r}.") from None
