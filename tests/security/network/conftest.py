"""One world for all tests of a file: its services say what reached them."""

from __future__ import annotations

import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.security.network.world import Service, World


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    folder = Path(tempfile.mkdtemp(prefix="or-network-"))
    for name in ("worktree", "home", "attempts"):
        (folder / name).mkdir()
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        services = {}
        secret = socket.socket()
        secret.bind(("", 0))  # at every address of this host
        secret.listen()
        for name, listener in {
            "secret": secret,
            "allowed": socket.create_server(("127.0.0.2", 0)),
            "forwarded": socket.create_server(("127.0.0.1", 0)),
            "ours": socket.create_server(("127.0.0.1", 0)),
        }.items():
            services[name] = Service(name, stack.enter_context(listener))
            threading.Thread(target=services[name].serve, daemon=True).start()
            stack.callback(listener.shutdown, socket.SHUT_RDWR)
        made = World(folder, services)
        stack.callback(lambda: [run.close() for run in made.runs])
        yield made
