"""`doctor`: what is right, doubtful or wrong on this machine, each with its fix; works without a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from openruntime.cli import output
from openruntime.cli.context import Invocation
from openruntime.cli.exits import FAILED, OK
from openruntime.cli.root import Command
from openruntime.cli.terminal import one_line

if TYPE_CHECKING:
    from openruntime.cli.checks import Check


@click.command(cls=Command)
@click.pass_obj
def doctor(invocation: Invocation) -> int:
    """Check git, runners, containment, SQLite, permissions, processes; exit 1 when something is wrong."""
    from openruntime.cli.checks import Level, run_all

    with output.progress("Looking"):
        checks = run_all(invocation)
    worst = max((check.status for check in checks), key=list(Level).index)
    if invocation.as_json:
        output.as_json({"status": worst, "checks": [vars(check) for check in checks]})
    else:
        for check in checks:
            if check.status != Level.OK or not invocation.quiet:
                _show(check)
    return FAILED if worst == Level.FAIL else OK


def _show(check: Check) -> None:
    mark = check.status.ljust(5)
    if output.on_terminal():
        mark = click.style(mark, fg=output.COLOURS[check.status])
    print(f"{mark} {check.name.ljust(14)} {one_line(check.detail)}")
    if check.fix:
        print(f"{' ' * 20} → {one_line(check.fix)}")
