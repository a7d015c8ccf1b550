"""What every command knows: the global options, the settings, and the way to the server."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openruntime.cli.client import Client
    from shared.config import Config


@dataclass
class Invocation:
    """One command line: `as_json` and `quiet` are what the person asked for, `command` what they typed."""

    data: str | None = None
    as_json: bool = False
    quiet: bool = False
    command: str = ""

    @cached_property
    def config(self) -> Config:
        """The settings. Raises ConfigError."""
        from shared.config import from_env

        return from_env(data=self.data)

    @cached_property
    def client(self) -> Client:
        """The server that serves our data directory; nothing is sent before the first request."""
        from openruntime.cli.client import Client

        return Client(self.config)

    def close(self) -> None:
        """Let go of the server, if it was ever asked."""
        if "client" in self.__dict__:
            self.client.close()
