"""The shim's control socket: JSON lines in, one answer each, and pushes to those that watch."""

from __future__ import annotations

import json
import os
import selectors
import socket
import struct
from collections.abc import Callable
from contextlib import suppress

from workers.shim.frames import PROTOCOL

TYPE_CHECKING = False  # checkers read it as true; importing typing for it would cost every shim 3 ms
if TYPE_CHECKING:
    from typing import Any

SOCKET = "control.sock"
MAX_CONNECTIONS = 32
MAX_REQUEST_BYTES = 32 << 20  # an input of 16 MiB, in base64
MAX_UNSENT_BYTES = 1 << 20
_READ_BYTES = 1 << 18


class Connection:
    """One client. It is told that the log grew at most once until it asks for more."""

    def __init__(self, endpoint: socket.socket) -> None:
        self.endpoint = endpoint
        self.received = bytearray()
        self.unsent = bytearray()
        self.armed = False
        self.known_bytes = -1


class ControlServer:
    """Accepts clients of this user on `control.sock` in the current folder.

    `handle` answers a message; `size` tells how long the log is. Nothing here ever blocks: a client that does not
    read its answers is cut off.
    """

    def __init__(
        self,
        selector: selectors.BaseSelector,
        handle: Callable[[dict[str, Any]], dict[str, Any]],
        size: Callable[[], int],
    ) -> None:
        self._selector, self._handle, self._size = selector, handle, size
        self._connections: dict[int, Connection] = {}
        with suppress(FileNotFoundError):
            os.unlink(SOCKET)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(SOCKET)  # a name without folders: a whole path may be too long for a socket
        os.chmod(SOCKET, 0o600)
        self._listener.listen(MAX_CONNECTIONS)
        self._listener.setblocking(False)
        selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def grew(self) -> None:
        """Tell those that watch that the log is longer than they know."""
        size = self._size()
        for connection in list(self._connections.values()):
            if connection.armed and size > connection.known_bytes:
                self._announce(connection, size)

    def exited(self) -> None:
        """Tell everyone that the exit record is there, and stop serving."""
        for connection in list(self._connections.values()):
            self._send(connection, {"exited": True})
            self._drop(connection)
        self._selector.unregister(self._listener)
        self._listener.close()
        with suppress(FileNotFoundError):
            os.unlink(SOCKET)

    def _accept(self, _: int) -> None:
        try:
            endpoint, _address = self._listener.accept()
        except OSError:
            return
        endpoint.setblocking(False)
        if len(self._connections) >= MAX_CONNECTIONS or not _is_ours(endpoint):
            endpoint.close()
            return
        connection = Connection(endpoint)
        self._connections[endpoint.fileno()] = connection
        self._selector.register(endpoint, selectors.EVENT_READ, lambda mask: self._ready(connection, mask))

    def _ready(self, connection: Connection, mask: int) -> None:
        if mask & selectors.EVENT_WRITE:
            self._push_out(connection)
        if not mask & selectors.EVENT_READ or connection.endpoint.fileno() < 0:
            return
        try:
            data = connection.endpoint.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        searched = len(connection.received)
        connection.received += data
        if not data or len(connection.received) > MAX_REQUEST_BYTES:
            self._drop(connection)
            return
        while (end := connection.received.find(b"\n", searched)) >= 0 and connection.endpoint.fileno() >= 0:
            line = bytes(connection.received[:end])
            del connection.received[: end + 1]
            searched = 0
            self._answer(connection, line)

    def _answer(self, connection: Connection, line: bytes) -> None:
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict) or not isinstance(message.get("op"), str):
            self._send(connection, {"ok": False, "error": "A message is one JSON object with an op."})
            return
        if message["op"] in ("watch", "more"):
            connection.armed = True
            if message["op"] == "watch":
                connection.known_bytes = self._size()
                self._send(connection, {"n": message.get("n"), "ok": True, "size": connection.known_bytes})
            self.grew()
            return
        self._send(connection, {"n": message.get("n"), **self._handle(message)})

    def _announce(self, connection: Connection, size: int) -> None:
        connection.armed, connection.known_bytes = False, size
        self._send(connection, {"grew": size})

    def _send(self, connection: Connection, message: dict[str, Any]) -> None:
        connection.unsent += json.dumps({"v": PROTOCOL, **message}).encode() + b"\n"
        self._push_out(connection)

    def _push_out(self, connection: Connection) -> None:
        if connection.endpoint.fileno() < 0:
            return
        try:
            while connection.unsent:
                sent = connection.endpoint.send(connection.unsent)
                del connection.unsent[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self._drop(connection)
            return
        if len(connection.unsent) > MAX_UNSENT_BYTES:
            self._drop(connection)
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.unsent else 0)
        key = self._selector.get_key(connection.endpoint)
        if key.events != events:
            self._selector.modify(connection.endpoint, events, key.data)

    def _drop(self, connection: Connection) -> None:
        if connection.endpoint.fileno() < 0:
            return
        self._connections.pop(connection.endpoint.fileno(), None)
        self._selector.unregister(connection.endpoint)
        connection.endpoint.close()


def _is_ours(endpoint: socket.socket) -> bool:
    """Whether the other end belongs to this user; the folder's mode says so too, this is the second lock."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return True
    _pid, uid, _gid = struct.unpack("3i", endpoint.getsockopt(socket.SOL_SOCKET, option, 12))
    return bool(uid == os.geteuid())
