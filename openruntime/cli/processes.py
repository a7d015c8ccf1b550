"""`web` and `worker`: one kind of process alone, as Procfile, supervisor, systemd and compose start them."""

from __future__ import annotations

import click

from openruntime.cli import leash
from openruntime.cli.address import address_options, at_address
from openruntime.cli.context import Invocation
from openruntime.cli.root import Command


@click.command(cls=Command)
@address_options
@click.pass_obj
def web(invocation: Invocation, host: str | None, port: int | None, behind_proxy: bool) -> None:
    """Serve pages, API and live stream; ends on SIGTERM."""
    config = at_address(invocation.config, host, port, behind_proxy=behind_proxy)
    leash.watch_parent()
    from web.serve import serve

    serve(config)


@click.command(cls=Command)
@click.pass_obj
def worker(invocation: Invocation) -> int:
    """Run agents; SIGTERM leaves them running, SIGINT stops them."""
    leash.watch_parent()
    from workers.main import main

    return int(main(invocation.config) or 0)
