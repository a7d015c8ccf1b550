"""`up`: everything in the foreground, one instance per data directory."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from openruntime import APP
from openruntime.cli.address import address_options, at_address, require_free
from openruntime.cli.context import Invocation
from openruntime.cli.root import Command
from shared.errors import InstanceRunning, OpenRuntimeError

if TYPE_CHECKING:
    from shared.config import Config

PACKAGE = Path(__file__).resolve().parent.parent
MOST_WORKERS = 64
#: A web process whose `up` was killed ends by itself within about a second.
LEAVING_SECONDS = 3.0
#: A shim writes its agent's exit record within milliseconds of its end.
SHIM_SECONDS = 3.0


@click.command(cls=Command)
@address_options
@click.option(
    "--workers", type=click.IntRange(1, MOST_WORKERS), default=1, show_default=True, help="Worker processes."
)
@click.option("--open", "open_browser", is_flag=True, help="Open the sign-in link in a browser.")
@click.pass_obj
def up(
    invocation: Invocation,
    host: str | None,
    port: int | None,
    workers: int,
    open_browser: bool,
    behind_proxy: bool,
) -> int:
    """Run everything in the foreground and print a sign-in link.

    Ctrl-C stops every agent and leaves no process; SIGTERM leaves agents running for the next start.
    """
    from openruntime.cli import procfile
    from openruntime.cli.announce import Announcement
    from openruntime.cli.foreground import Foreground
    from openruntime.cli.printing import Printer

    config = at_address(invocation.config, host, port, behind_proxy=behind_proxy)
    entries = procfile.entries(procfile.read(APP, PACKAGE), workers)
    printer = Printer([entry.name for entry in entries], quiet=invocation.quiet, as_json=invocation.as_json)
    with alone(config):
        (config.data / "instance.json").unlink(missing_ok=True)  # left by one that was killed
        announcement = Announcement(config, printer, open_browser=open_browser)
        announcement.start()
        try:
            return Foreground(entries, config.environ(), printer, sweep=lambda: end_agents(config)).run()
        finally:
            announcement.give_up()


@contextlib.contextmanager
def alone(config: Config) -> Iterator[None]:
    """Be the only `up` of this data directory, and refuse beside a server that was started without one.

    Raises InstanceRunning. The web process itself holds the instance's lock while it serves, so that lock is
    only tried here; a second `up` is kept out by a lock of ours until this one ends.
    """
    from shared.instance import hold, running_at
    from shared.store.database import prepare_folder

    try:
        prepare_folder(config.data)
        lock = (config.data / "up.lock").open("a+")
    except OSError as error:
        raise OpenRuntimeError(f"Cannot use {config.data} as data directory: {error.strerror}.") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            by = running_at(config) or "another `openruntime up`"
            raise InstanceRunning(
                f"{config.data} is already served by {by}; stop it first, or choose another --data folder."
            ) from error
        _wait_for_the_last_one(hold, config)
        yield


def _wait_for_the_last_one(hold: Callable[[Config], AbstractContextManager[None]], config: Config) -> None:
    """Try the lock and the port until whatever a killed `up` left has gone. Raises what is still in the way."""
    until = time.monotonic() + LEAVING_SECONDS
    while True:
        try:
            with hold(config):
                require_free(config)
            return
        except OpenRuntimeError:
            if time.monotonic() >= until:
                raise
        time.sleep(0.05)


def end_agents(config: Config) -> None:
    """Kill what is left of this data directory's attempts, and wait until their shims have noticed.

    Raises AgentLost when some process cannot be killed.
    """
    from openruntime.cli.remains import tagged
    from workers.attempts.process import state, sweep

    known = set(os.listdir(config.attempts)) if config.attempts.is_dir() else set()
    left = {attempt for _, _, attempt in tagged()} & known
    for attempt in left:
        sweep(attempt)
    until = time.monotonic() + SHIM_SECONDS
    while any(state(config.attempts / attempt) == "alive" for attempt in left) and time.monotonic() < until:
        time.sleep(0.02)
