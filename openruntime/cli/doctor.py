"""`doctor`: what is right, doubtful or wrong on this machine, each with its fix; works without a server."""

from __future__ import annotations

import click

from openruntime.cli import output
from openruntime.cli.checks import FAIL, OK, WARN, Check, run_all
from openruntime.cli.context import Invocation
from openruntime.cli.exits import FAILED
from openruntime.cli.exits import OK as SUCCESS
from openruntime.cli.root import Command
from openruntime.cli.terminal import one_line


@click.command(cls=Command)
@click.pass_obj
def doctor(invocation: Invocation) -> int:
    """Check git, runners, containment, SQLite, permissions, processes; exit 1 when something is wrong."""
    with output.progress("Looking"):
        checks = run_all(invocation)
    worst = next((level for level in (FAIL, WARN) if any(check.status == level for check in checks)), OK)
    if invocation.as_json:
        output.as_json({"status": worst, "checks": [check.__dict__ for check in checks]})
    else:
        for check in checks:
            if check.status != OK or not invocation.quiet:
                _show(check)
    return FAILED if worst == FAIL else SUCCESS


def _show(check: Check) -> None:
    mark = check.status.ljust(5)
    if output.on_terminal():
        mark = click.style(mark, fg=output.COLOURS[check.status])
    print(f"{mark} {check.name.ljust(14)} {one_line(check.detail)}")
    if check.fix:
        print(f"{' ' * 20} → {one_line(check.fix)}")
