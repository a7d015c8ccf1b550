"""Accepts what programs in the sandbox send, and lets through what the policy lists."""

from __future__ import annotations

import selectors
import socket
from contextlib import suppress
from threading import BoundedSemaphore, Thread

from workers.shim.proxy import requests, socks, stream
from workers.shim.proxy.destinations import Denied, Destinations, Unreachable
from workers.shim.proxy.requests import Malformed
from workers.shim.proxy.stream import Incoming
from workers.shim.proxy.tally import Tally

TYPE_CHECKING = False  # checkers read it as true; importing typing for it would cost every shim 3 ms
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import NoReturn

MAX_CONNECTIONS = 128
TELL_SECONDS = 1.0
REASONS = {400: "Bad Request", 403: "Forbidden", 502: "Bad Gateway"}


class Proxy:
    """Speaks HTTP and SOCKS on `port`; each other port of the sandbox's loopback leads to one (host, port)."""

    def __init__(
        self, destinations: Destinations, tally: Tally, port: int, forwards: Mapping[int, tuple[str, int]]
    ) -> None:
        self._destinations, self._tally = destinations, tally
        self._port, self._forwards = port, forwards
        self._room = BoundedSemaphore(MAX_CONNECTIONS)

    def serve(self, listeners: Sequence[tuple[int, socket.socket]]) -> NoReturn:
        """Accept for ever. Beyond MAX_CONNECTIONS at once, further ones wait in the system's queue."""
        selector = selectors.DefaultSelector()
        for port, listener in listeners:
            listener.setblocking(False)
            selector.register(listener, selectors.EVENT_READ, port)
        while True:
            for key, _ in selector.select(TELL_SECONDS):
                if self._room.acquire(timeout=TELL_SECONDS):
                    self._accept(key.fileobj, key.data)  # type: ignore[arg-type]
            self._tally.tell()

    def _accept(self, listener: socket.socket, port: int) -> None:
        try:
            endpoint, _ = listener.accept()
            Thread(target=self._handled, args=(endpoint, port), daemon=True).start()
        except (OSError, RuntimeError):  # gone again, or no thread is to be had
            self._room.release()

    def _handled(self, endpoint: socket.socket, port: int) -> None:
        try:
            with endpoint, suppress(OSError):
                if port == self._port:
                    self._hear(Incoming(endpoint))
                else:
                    self._forward(Incoming(endpoint), *self._forwards[port])
        finally:
            self._room.release()

    def _forward(self, incoming: Incoming, host: str, port: int) -> None:
        with suppress(Denied, Unreachable), self._reached(host, port) as server:
            stream.tunnel(incoming, server)

    def _hear(self, incoming: Incoming) -> None:
        try:
            if socks.is_meant(incoming):
                self._socks(incoming)
            else:
                self._http(incoming)
        except Malformed as error:
            said = f"The proxy refused a request: {error}."
            self._tally.count("refused", "", 0, said)
            stream.answer(incoming, _answer(400, said))

    def _http(self, incoming: Incoming) -> None:
        request = requests.read(incoming.head())
        try:
            server = self._reached(request.host, request.port)
        except (Denied, Unreachable) as error:
            stream.answer(incoming, _answer(403 if isinstance(error, Denied) else 502, str(error)))
            return
        with server:
            if request.tunnel:
                incoming.endpoint.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                stream.tunnel(incoming, server)
            else:
                server.sendall(request.head)
                stream.exchange(incoming, server, request.length)

    def _socks(self, incoming: Incoming) -> None:
        host, port = socks.read(incoming)
        try:
            server = self._reached(host, port)
        except (Denied, Unreachable) as error:
            code = socks.REFUSED if isinstance(error, Denied) else socks.UNREACHABLE
            stream.answer(incoming, socks.answer(code))
            return
        with server:
            incoming.endpoint.sendall(socks.answer(socks.OPEN))
            stream.tunnel(incoming, server)

    def _reached(self, host: str, port: int) -> socket.socket:
        """A connection that is on record, allowed or not. Raises Denied or Unreachable."""
        try:
            server = self._destinations.connect(host, port)
        except Denied as error:
            self._tally.count("refused", host, port, str(error))
            raise
        except Unreachable as error:
            self._tally.count("failed", host, port, str(error))
            raise
        if not self._destinations.is_model(host, port):
            self._tally.count("allowed", host, port)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return server


def _answer(status: int, said: str) -> bytes:
    """An answer of the proxy's own; the agent reads why."""
    head = f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Type: text/plain; charset=utf-8\r\n"
    body = f"{said}\n".encode()
    return f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body
