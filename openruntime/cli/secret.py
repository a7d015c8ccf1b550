"""`secret`: keep values by name, list the names, forget them. A value never stands in an argument or an answer."""

from __future__ import annotations

import sys
from urllib.parse import quote

import click

from openruntime.cli import output
from openruntime.cli.context import Invocation
from openruntime.cli.root import Group
from shared.errors import BadRequest


@click.group(cls=Group, invoke_without_command=True)
@click.pass_context
def secret(context: click.Context) -> None:
    """Keep secrets that tasks and workspaces are granted by name."""
    if context.invoked_subcommand is None:
        _list(context.ensure_object(Invocation))


@secret.command("ls")
@click.pass_obj
def secret_ls(invocation: Invocation) -> None:
    """List their names, and when each was set."""
    _list(invocation)


@secret.command("set")
@click.argument("name")
@click.pass_obj
def secret_set(invocation: Invocation, name: str) -> None:
    """Keep a value under NAME: asked for without echo, or read from a pipe.

    One newline at the end of a pipe's text is not part of it.
    """
    value = read_value(f"Value of {name}")
    row = invocation.client.post("/secrets", {"name": name, "value": value}).body
    if invocation.as_json:
        output.as_json(row)
    elif not invocation.quiet:
        output.line(f"{row['name']}  kept")


@secret.command("rm")
@click.argument("name")
@click.pass_obj
def secret_rm(invocation: Invocation, name: str) -> None:
    """Forget a secret. What was stored before stays as it is; see `openruntime scrub`."""
    invocation.client.delete(f"/secrets/{quote(name, safe='')}")
    if invocation.as_json:
        output.as_json({"name": name})
    elif not invocation.quiet:
        output.line(f"{name}  forgotten")


def read_value(asked: str) -> str:
    """A value from a prompt without echo, or all of a pipe. Raises BadRequest for text that is not UTF-8."""
    if sys.stdin.isatty():
        return str(click.prompt(asked, hide_input=True, err=True))
    try:
        return sys.stdin.buffer.read().decode().removesuffix("\n")
    except UnicodeDecodeError:
        raise BadRequest("A secret is text in UTF-8.") from None


def _list(invocation: Invocation) -> None:
    rows = [row for page in invocation.client.pages("/secrets") for row in page]
    if invocation.as_json:
        output.as_json(rows)
        return
    shown = [
        (
            row["name"],
            row["updated_at"][:16].replace("T", " "),
            "" if row["readable"] else "its key is not here; set it again",
        )
        for row in rows
    ]
    output.table(("name", "set", ""), shown)
