"""Where the server listens: the options that say so, and what is refused."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from shared.errors import ConfigError, OpenRuntimeError

if TYPE_CHECKING:
    from shared.config import Config

MAX_PORT = 65535
F = TypeVar("F", bound=Callable[..., Any])


def address_options(function: F) -> F:
    """`--host`, `--port`, `--behind-proxy`."""
    for option in (
        click.option("--behind-proxy", is_flag=True, help="A proxy in front speaks TLS; allows any host."),
        click.option(
            "--port", type=click.IntRange(0, MAX_PORT), help="Port; 8080 otherwise, 0 picks a free one."
        ),
        click.option("--host", help="Address to listen on; 127.0.0.1 otherwise."),
    ):
        function = option(function)
    return function


def at_address(config: Config, host: str | None, port: int | None, *, behind_proxy: bool) -> Config:
    """`config` with what was typed. Raises ConfigError for a host others could reach without a proxy."""
    from shared.config import from_env, is_loopback

    environ = dict(config.environment)
    typed = {"OPENRUNTIME_HOST": host, "PORT": None if port is None else str(port)}
    environ.update({name: value for name, value in typed.items() if value is not None})
    if behind_proxy:
        environ["OPENRUNTIME_BEHIND_PROXY"] = "1"
    read = from_env(environ, data=config.data)
    if not is_loopback(read.host) and not read.behind_proxy:
        raise ConfigError(
            f"{read.host} is reachable from other machines, and openRuntime does not speak TLS itself: "
            "put a proxy in front and add --behind-proxy, or listen on 127.0.0.1."
        )
    return replace(read, database=config.database)


def require_free(config: Config) -> None:
    """Raise OpenRuntimeError when another program already listens on the configured address."""
    if not config.port:
        return
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((config.host, config.port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                said = f"Port {config.port} is used by another program; choose one with --port."
            else:
                said = f"Cannot listen on {config.host}: {error.strerror or error}."
            raise OpenRuntimeError(said) from error
