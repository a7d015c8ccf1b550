"""`audit verify` and `audit export`: whether the audit log is whole, and its entries as a file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import click

from openruntime.cli import output
from openruntime.cli.context import Invocation
from openruntime.cli.exits import FAILED, OK
from openruntime.cli.root import Group
from shared.errors import NotFound

if TYPE_CHECKING:
    from shared.audit.chain import Verdict
    from shared.config import Config


@click.group(cls=Group)
def audit() -> None:
    """Check and export the log of who decided what."""


@audit.command("verify")
@click.pass_obj
def verify(invocation: Invocation) -> int:
    """Check every entry's hash, the chain and the heads beside the store; works without a server.

    Exit 1 names the first entry that was changed, removed, added or moved, also where history was cut or put back.
    """
    with output.progress("Reading"):
        found = verdict(invocation.config)
    if invocation.as_json:
        output.as_json({"stands": found.stands, **vars(found)})
    elif not found.stands:
        output.note(f"Entry {found.first_bad} is not right: {found.problem}.")
    elif not invocation.quiet:
        output.line(f"The audit log is whole: {found.entries} entries, head {found.head}.")
    return OK if found.stands else FAILED


@audit.command("export")
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True)
@click.option("--since", metavar="WHEN", help="The first day or instant (UTC).")
@click.option("--until", metavar="WHEN", help="The last day, included, or the first instant after.")
@click.option("--task", metavar="ID", help="Only what concerns this task.")
@click.pass_obj
def export(invocation: Invocation, form: str, since: str | None, until: str | None, task: str | None) -> None:
    """Write the entries to stdout, oldest first."""
    from shared.audit.export import FORMATS

    pages = invocation.client.pages("/audit", order="oldest", limit=500, since=since, until=until, task=task)
    for line in FORMATS[form](entry for page in pages for entry in page):
        output.exact(line)


def verdict(config: Config) -> Verdict:
    """What the log looks like on disk. Raises NotFound where there is none."""
    from shared.audit import chain

    try:
        with closing(sqlite3.connect(f"{config.database.as_uri()}?mode=ro", uri=True, timeout=30)) as store:
            return chain.verify(store, chain.heads_file(config.data))
    except sqlite3.Error as error:
        raise NotFound(f"There is no audit log to read at {config.database}: {error}.") from error
