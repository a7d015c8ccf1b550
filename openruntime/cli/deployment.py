"""`deploy print`: the shipped service files, filled in for this machine."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from openruntime import APP
from openruntime.cli import output
from openruntime.cli.context import Invocation
from openruntime.cli.root import Group
from shared.errors import OpenRuntimeError

if TYPE_CHECKING:
    from shared.config import Config

FILES = {
    "supervisor": "supervisor/openruntime.conf",
    "systemd": "systemd/openruntime.service",
    "compose": "docker/compose.yaml",
}


@click.group(cls=Group)
def deploy() -> None:
    """Files that run openRuntime as a service."""


@deploy.command("print")
@click.argument("kind", type=click.Choice(list(FILES)))
@click.pass_obj
def deploy_print(invocation: Invocation, kind: str) -> None:
    """Print a supervisor, systemd or compose file with this machine's program and folders."""
    text = filled_in(kind, _shipped(APP / "deploy" / FILES[kind]), invocation.config, APP)
    if invocation.as_json:
        output.as_json({"kind": kind, "text": text})
    else:
        output.exact(text)


def filled_in(kind: str, text: str, config: Config, app: Path) -> str:
    """The file's text with `openruntime`, the data directory and relative paths replaced by absolute ones."""
    replace = {"supervisor": _supervisor, "systemd": _systemd, "compose": _compose}[kind]
    for old, new in replace(config, app).items():
        if old not in text:
            raise OpenRuntimeError(f"The shipped {kind} file does not contain {old!r} any more.")
        text = text.replace(old, new)
    return text


def _shipped(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise OpenRuntimeError(f"{path} is not part of this installation.") from error


def _program() -> str:
    """How to start us from anywhere: the console script beside the interpreter, else the module."""
    script = Path(sys.executable).with_name("openruntime")
    words = [str(script)] if script.is_file() else [sys.executable, "-P", "-m", "openruntime"]
    return shlex.join(words)


def _supervisor(config: Config, _: Path) -> dict[str, str]:
    def literal(text: str) -> str:
        return text.replace("%", "%%")

    return {
        "command=openruntime ": f"command={literal(_program())} --data {literal(shlex.quote(str(config.data)))} ",
        "%(ENV_OPENRUNTIME_DATA)s": literal(str(config.data)),
    }


def _systemd(config: Config, _: Path) -> dict[str, str]:
    def literal(text: str) -> str:
        return text.replace("%", "%%").replace("$", "$$")

    data = '"' + str(config.data).replace("\\", "\\\\").replace('"', '\\"') + '"'
    return {
        "ExecStart=%h/.local/bin/openruntime ": f"ExecStart={literal(_program())} --data {literal(data)} "
    }


def _compose(config: Config, app: Path) -> dict[str, str]:
    docker = app / "deploy" / "docker"
    return {
        "../../data/workspaces": _in_yaml(config.data / "workspaces"),
        "context: ../..": f"context: {_in_yaml(app)}",
        "./redis.conf": _in_yaml(docker / "redis.conf"),
    }


def _in_yaml(path: Path) -> str:
    """A path compose takes literally; it would read `$` as a variable."""
    return str(path).replace("$", "$$")
