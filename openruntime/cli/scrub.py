"""`scrub`: take a value out of everything that was stored before it was known to be secret."""

from __future__ import annotations

from pathlib import Path

import click

from openruntime.cli import output
from openruntime.cli.context import Invocation
from openruntime.cli.root import Command
from openruntime.cli.secret import read_value
from shared.errors import BadRequest


@click.command(cls=Command)
@click.option("--dry-run", is_flag=True, help="Only count; change nothing.")
@click.option(
    "--backup",
    "archives",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Also in this file of `openruntime backup`.",
)
@click.argument("name", required=False)
@click.pass_obj
def scrub(invocation: Invocation, name: str | None, dry_run: bool, archives: tuple[Path, ...]) -> None:
    """Mask a value in the store, its backups, logs and agent homes, in all its forms.

    The value of the kept secret NAME; without NAME it is asked for without echo, or read from a pipe. Works with or
    without a server. Worktrees are agents' work: they are looked through and left alone.
    """
    from workers import scrubbing

    value = _kept(invocation, name) if name else read_value("Value to scrub")
    with output.progress("Scrubbing"):
        report = scrubbing.scrub(invocation.config, value, dry_run=dry_run, archives=archives)
    found = {"rows": dict(report.rows), "files": dict(report.files), "left": report.left, "dry_run": dry_run}
    if invocation.as_json:
        output.as_json(found)
        return
    rows = [(place, count) for place, count in (*report.rows.items(), *report.files.items())]
    if rows:
        output.table(("where", "rows or places" if not dry_run else "would be masked"), rows)
    elif not invocation.quiet:
        output.line("The value stands nowhere.")
    for path in report.left:
        output.note(f"{path} still has it: it is an agent's work, so change it or clean its task up.")


def _kept(invocation: Invocation, name: str) -> str:
    """The value of a kept secret, read from the store without a server."""
    from shared.secrets import kept
    from shared.store import open_store

    open_store(invocation.config)
    kept.use_key(invocation.config)
    value = kept.values().get(name)
    if value is None:
        raise BadRequest(f"No secret named {name} can be read here.")
    return value
