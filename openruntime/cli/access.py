"""`login` and `where`: how to reach the running server, and where everything is."""

from __future__ import annotations

import click

from openruntime.cli import output
from openruntime.cli.context import Invocation
from openruntime.cli.root import Command
from shared.errors import OpenRuntimeError


@click.command(cls=Command)
@click.pass_obj
def login(invocation: Invocation) -> None:
    """Print a fresh sign-in link for the browser; it works once, for five minutes."""
    link = invocation.client.post("/login/links").body["url"]
    if invocation.as_json:
        output.as_json({"url": link})
    else:
        output.line(link)


@click.command(cls=Command)
@click.pass_obj
def where(invocation: Invocation) -> None:
    """Print the data directory, the database and the address; works without a server."""
    config = invocation.config
    running, url = True, config.url
    try:
        url = invocation.client.url
        invocation.client.get("/health")
    except OpenRuntimeError:
        running = False
    facts = {
        "data": str(config.data),
        "database": str(config.database),
        "url": url,
        "running": running,
        "sign_in_needed": True,
        "token_file": str(config.token_file),
    }
    if invocation.as_json:
        output.as_json(facts)
        return
    sign_in = (
        "needed; `openruntime login` prints a link" if running else "needed; `openruntime up` prints a link"
    )
    output.pairs(
        [
            ("data", facts["data"]),
            ("database", facts["database"]),
            ("url", f"{url}{'' if running else ' (not running)'}"),
            ("sign-in", sign_in),
        ]
    )
