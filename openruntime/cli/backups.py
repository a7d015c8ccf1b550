"""`backup` and `restore`: one file with everything that cannot be made again; both work without a server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from openruntime.cli import output
from openruntime.cli.context import Invocation
from openruntime.cli.root import Command
from shared.errors import InstanceRunning

if TYPE_CHECKING:
    from shared.config import Config

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(cls=Command)
@click.argument("file", type=FILE)
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@click.pass_obj
def backup(invocation: Invocation, file: Path, force: bool) -> None:
    """Write the store and the captured work to FILE, also while agents run; .gz or .tgz compresses.

    Not in it: the owner's token, secrets, worktrees and the agents' raw logs.
    """
    from shared import backups

    if file.exists() and not force:
        raise click.UsageError(f"{file} exists; --force replaces it.")
    with output.progress("Copying"):
        manifest = backups.write(invocation.config, file)
    size = file.stat().st_size
    if invocation.as_json:
        output.as_json({**vars(manifest), "file": str(file), "bytes": size})
    elif not invocation.quiet:
        output.line(f"Wrote {file} ({size / 1e6:.1f} MB, schema {manifest.schema}).")


@click.command(cls=Command)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.pass_obj
def restore(invocation: Invocation, file: Path) -> None:
    """Put a backup in place of the present store; what was there is kept beside it.

    Refused while anything of this data directory runs. Attempts that were live in the backup come back as
    stopped, to be resumed.
    """
    from shared import backups, instance

    config = invocation.config
    with instance.hold(config):
        _require_rest(config)
        with output.progress("Restoring"):
            manifest, kept = backups.restore(config, file)
    if invocation.as_json:
        output.as_json({**vars(manifest), "kept": str(kept)})
    elif not invocation.quiet:
        output.line(f"Restored the backup of {manifest.created_at}; what was here is in {kept}.")


def _require_rest(config: Config) -> None:
    """Workers and agents outlive the web process; the store must not be changed below them."""
    from broker.liveness import SUFFIX, Owners
    from workers.attempts import process

    owners = Owners(config.data / "workers")
    names = [path.name.removesuffix(SUFFIX) for path in (config.data / "workers").glob(f"*{SUFFIX}")]
    if any(owners.is_alive(name) for name in names):
        raise InstanceRunning(f"A worker of {config.data} is running; stop it first.")
    folders = config.attempts.iterdir() if config.attempts.is_dir() else ()
    if any(process.state(folder) in ("alive", "starting") for folder in folders):
        raise InstanceRunning(
            f"An agent of {config.data} is still running; `openruntime up` takes it up again, then stop it."
        )
