"""Services of the host, and sandboxes whose proxy leads to some of them."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.integration.attempts.driver import Run
from workers.attempts.sandbox import Bounds, confine

PROXY = 3128
BLOB = os.urandom(1 << 20) * 24


@dataclass
class Service:
    """A server that notes the first line of each request and answers with its name."""

    name: str
    listener: socket.socket
    asked: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    def serve(self) -> None:
        while True:
            try:
                endpoint, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(endpoint,), daemon=True).start()

    def _answer(self, endpoint: socket.socket) -> None:
        with endpoint:
            endpoint.settimeout(10)
            try:
                received = endpoint.recv(65536)
                while b"\r\n\r\n" not in received:
                    received += endpoint.recv(65536)
                head, _, body = received.partition(b"\r\n\r\n")
                self.asked += [line.decode("latin-1") for line in head.split(b"\r\n") if b"HTTP/1" in line]
                if b"/blob" in head:
                    endpoint.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + BLOB)
                elif b"/echo" in head:
                    _echo(endpoint, body)
                else:
                    endpoint.sendall(f"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{self.name}".encode())
                    endpoint.shutdown(socket.SHUT_WR)
                    while more := endpoint.recv(65536):
                        self.asked += [f"more: {line!r}" for line in more.split(b"\r\n") if b"HTTP/1" in line]
            except OSError:
                pass


def _echo(endpoint: socket.socket, first: bytes) -> None:
    """The digest of everything up to the other side's end."""
    digest = hashlib.sha256(first)
    while data := endpoint.recv(1 << 16):
        digest.update(data)
    endpoint.sendall(digest.hexdigest().encode())


@dataclass
class World:
    """Services of the host, and sandboxes that may reach some of them."""

    folder: Path
    services: dict[str, Service]
    runs: list[Run] = field(default_factory=list)

    def network(self, **more: Any) -> dict[str, Any]:
        allowed, forwarded, ours = (self.services[name].port for name in ("allowed", "forwarded", "ours"))
        return {
            "port": PROXY,
            "listed": [["127.0.0.2", allowed], ["metadata.google.internal", 80], ["localhost", ours]],
            "model": [],
            "forwards": [["localhost", forwarded], ["127.0.0.1", ours]],
            "ours": [ours],
            **more,
        }

    def start(self, *argv: str, **fields: Any) -> Run:
        run = Run(self.folder / f"attempts/{len(self.runs)}")
        self.runs.append(run)
        path = os.environ["PATH"]
        bounds = Bounds(
            self.folder / "worktree",
            self.folder / "worktree",
            self.folder / "home",
            network="proxied",
            environment={"PATH": path, "http_proxy": f"http://127.0.0.1:{PROXY}"},
        )
        fields = {
            "network": self.network(),
            "confinement": confine(argv, bounds),
            "env": {"PATH": path},
            **fields,
        }
        return run.start("x", **fields)

    def sh(self, command: str, **fields: Any) -> Run:
        return self.start("/bin/sh", "-c", command, **fields)

    def told(self, run: Run) -> dict[tuple[str, int, str], int]:
        """What the proxy told: how often, by host, port and verdict."""
        found: dict[tuple[str, int, str], int] = {}
        for note in run.notes():
            if note["note"] == "network":
                key = (note["host"], note["port"], note["verdict"])
                found[key] = found.get(key, 0) + note["count"]
        return found
