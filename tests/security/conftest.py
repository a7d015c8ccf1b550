"""The application behind its door, in process; tests that need real sockets bring a server of their own."""

from __future__ import annotations

from tests.unit.pages.conftest import visitor
from tests.unit.web.conftest import api, app, client, config, running, worker

__all__ = ["api", "app", "client", "config", "running", "visitor", "worker"]
