"""The command group: global options, and which file holds which command."""

from __future__ import annotations

import importlib
from typing import Any

import click

from openruntime import __version__
from openruntime.cli.context import Invocation
from openruntime.cli.output import ReaderGone

#: Command to the module that defines it, under the command's own name; in the order `--help` lists them.
MODULES = {
    "up": "up",
    "web": "processes",
    "worker": "processes",
    "run": "run",
    "ps": "tasks",
    "show": "tasks",
    "logs": "logs",
    "diff": "review",
    "review": "reviewing",
    "comment": "reviewing",
    "comments": "reviewing",
    "compare": "groups",
    "pick": "groups",
    "attach": "tasks",
    "start": "steering",
    "reply": "steering",
    "approve": "decisions",
    "deny": "decisions",
    "stop": "steering",
    "interrupt": "steering",
    "merge": "review",
    "cleanup": "review",
    "undo": "review",
    "delete": "deletion",
    "deleted": "deletion",
    "undelete": "deletion",
    "rebase": "review",
    "push": "push",
    "verify": "review",
    "runners": "inventory",
    "sessions": "inventory",
    "workspaces": "inventory",
    "secret": "secret",
    "scrub": "scrub",
    "token": "tokens",
    "login": "access",
    "where": "access",
    "audit": "audit",
    "doctor": "doctor",
    "backup": "backups",
    "restore": "backups",
    "mcp": "mcp",
    "deploy": "deployment",
}


def _set_data(context: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None:
        context.ensure_object(Invocation).data = value


def _set_json(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(Invocation).as_json = True


def _set_quiet(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(Invocation).quiet = True


def _global_options(*, hidden: bool) -> list[click.Parameter]:
    shared: dict[str, Any] = {"expose_value": False, "is_eager": True, "hidden": hidden}
    return [
        click.Option(["--data"], metavar="DIR", callback=_set_data, help="Data directory.", **shared),
        click.Option(["--json"], is_flag=True, callback=_set_json, help="JSON on stdout.", **shared),
        click.Option(["-q", "--quiet"], is_flag=True, callback=_set_quiet, help="Say less.", **shared),
    ]


class Command(click.Command):
    """A command that also takes the global options after its own name, where people type them."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), *_global_options(hidden=True)]


class Group(click.Group):
    """A group of such commands."""

    command_class = Command

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), *_global_options(hidden=ctx.parent is not None)]


class Root(Group):
    """Loads the file of a command when it is asked for: a start must stay under 150 ms."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in MODULES:
            return None
        module = importlib.import_module(f"openruntime.cli.{MODULES[cmd_name]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        ctx.ensure_object(Invocation).command = name or ""
        return name, command, rest

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:  # before click turns it into an exit code of its own
            raise ReaderGone from error


@click.command(cls=Root, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="openruntime")
def root() -> None:
    """Run, supervise, review and merge the work of coding agents, on your own machine."""
