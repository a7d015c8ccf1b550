"""What one web process has besides the request: its settings, its home folder, its hub, its limits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flask import current_app

from shared.config import Config
from web.hub import Hub
from web.throttle import Throttle

KEY = "openruntime"


@dataclass(frozen=True)
class Services:
    """`home` is where relative workspace paths start: the folder the server was started in."""

    config: Config
    home: Path
    hub: Hub
    #: wrong credentials by address, and writes by credential
    throttle: Throttle
    writes: Throttle


def services() -> Services:
    """Those of the application that serves this request."""
    found: Services = current_app.extensions[KEY]
    return found
