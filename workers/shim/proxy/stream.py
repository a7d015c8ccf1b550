"""Bytes between two sockets: what is read within a deadline, tunnels, and the body of one request and no more."""

from __future__ import annotations

import re
import select
import socket
import time
from contextlib import suppress
from threading import Thread

from workers.shim.proxy.requests import MAX_HEAD_BYTES, Malformed

PIECE_BYTES = 1 << 16
HEAD_SECONDS = 15.0
#: What is left of a tunnel whose one direction has ended; a server that never ends the other would hold it for ever.
HALF_OPEN_SECONDS = 300.0
LAST_WORD_SECONDS, LAST_PIECES = 2.0, 64
CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,12})[ \t]*(?:;[^\r\n\x00]*)?\r\n")
MAX_LINE_BYTES = 4096


class Ended(OSError):
    """The other side closed the connection, or was too slow."""


class Incoming:
    """What a program sends, read so that bytes behind what was asked for stay for later.

    With a deadline (`until`, monotonic) Ended is raised when it passes before the bytes came.
    """

    def __init__(self, endpoint: socket.socket) -> None:
        self.endpoint = endpoint
        self._kept = b""

    def peek(self, until: float) -> bytes:
        """The next byte, which stays."""
        if not self._kept:
            self._more(until)
        return self._kept[:1]

    def exactly(self, count: int, until: float) -> bytes:
        while len(self._kept) < count:
            self._more(until)
        return self._taken(count)

    def through(self, mark: bytes, most: int, until: float) -> bytes:
        """Everything up to and with `mark`. Raises Malformed when that is more than `most` bytes."""
        while (end := self._kept.find(mark)) < 0 and len(self._kept) <= most:
            self._more(until)
        if not 0 <= end <= most - len(mark):
            raise Malformed("it is too long")
        return self._taken(end + len(mark))

    def head(self) -> bytes:
        """Of an HTTP request, with its empty line."""
        return self.through(b"\r\n\r\n", MAX_HEAD_BYTES, time.monotonic() + HEAD_SECONDS)

    def rest(self) -> bytes:
        """What was read already and nobody asked for."""
        return self._taken(len(self._kept))

    def up_to(self, count: int) -> bytes:
        """At least one byte, however long it takes. Raises Ended at the end."""
        if not self._kept:
            self.endpoint.settimeout(None)
            self._kept = self.endpoint.recv(PIECE_BYTES)
        if not self._kept:
            raise Ended("closed")
        return self._taken(count)

    def _more(self, until: float) -> None:
        left = until - time.monotonic()
        if left <= 0:
            raise Ended("too slow")
        self.endpoint.settimeout(left)
        data = self.endpoint.recv(PIECE_BYTES)
        if not data:
            raise Ended("closed")
        self._kept += data

    def _taken(self, count: int) -> bytes:
        found, self._kept = self._kept[:count], self._kept[count:]
        return found


def answer(incoming: Incoming, said: bytes) -> None:
    """The last word to a program. What it still sends is taken, or the system would reset the connection over it."""
    endpoint = incoming.endpoint
    endpoint.settimeout(LAST_WORD_SECONDS)
    endpoint.sendall(said)
    endpoint.shutdown(socket.SHUT_WR)
    for _ in range(LAST_PIECES):
        if not endpoint.recv(PIECE_BYTES):
            break


class _Way:
    """One direction of a tunnel, with at most one piece that its reader has not taken yet."""

    def __init__(self, source: socket.socket, sink: socket.socket, pending: bytes = b"") -> None:
        self.source, self.sink, self.pending = source, sink, pending
        self.open = True

    def read(self) -> None:
        with suppress(BlockingIOError):
            self.pending = self.source.recv(PIECE_BYTES)
            if not self.pending:
                self.open = False
                with suppress(OSError):
                    self.sink.shutdown(socket.SHUT_WR)

    def write(self) -> None:
        with suppress(BlockingIOError):
            self.pending = self.pending[self.sink.send(self.pending) :]


def tunnel(incoming: Incoming, server: socket.socket) -> None:
    """Carry bytes both ways until both directions have ended, or one fails."""
    client = incoming.endpoint
    client.setblocking(False)
    server.setblocking(False)
    ways = [_Way(client, server, incoming.rest()), _Way(server, client)]
    while going := [way for way in ways if way.open]:
        readable, writable, _ = select.select(
            [way.source for way in going if not way.pending],
            [way.sink for way in going if way.pending],
            [],
            None if len(going) == len(ways) else HALF_OPEN_SECONDS,
        )
        if not readable and not writable:
            return
        for way in going:
            if way.pending and way.sink in writable:
                way.write()
            elif not way.pending and way.source in readable:
                way.read()


def exchange(incoming: Incoming, server: socket.socket, length: int | None) -> None:
    """Send one request's body, `length` bytes or chunked, and carry the answer back until the server ends it."""
    server.settimeout(None)
    sender = Thread(target=_send_body, args=(incoming, server, length), daemon=True)
    if length != 0:
        sender.start()
    try:
        while data := server.recv(PIECE_BYTES):
            incoming.endpoint.sendall(data)
    finally:
        for endpoint in (incoming.endpoint, server):
            _shut(endpoint)
        if length != 0:
            sender.join()


def _send_body(incoming: Incoming, server: socket.socket, length: int | None) -> None:
    try:
        if length is None:
            _send_chunks(incoming, server)
        else:
            _send_bytes(incoming, server, length)
    except (OSError, Malformed):
        _shut(server)  # an unfinished body must not look like a whole one


def _send_bytes(incoming: Incoming, server: socket.socket, count: int) -> None:
    while count:
        data = incoming.up_to(min(count, PIECE_BYTES))
        server.sendall(data)
        count -= len(data)


def _send_chunks(incoming: Incoming, server: socket.socket) -> None:
    """Every chunk is written anew, so that both sides of the proxy read the same ones."""
    while True:
        found = CHUNK_SIZE.fullmatch(_line(incoming))
        if not found:
            raise Malformed("a chunk has no size")
        size = int(found[1], 16)
        if not size:
            break
        server.sendall(b"%x\r\n" % size)
        _send_bytes(incoming, server, size)
        if _line(incoming) != b"\r\n":
            raise Malformed("a chunk is longer than it says")
        server.sendall(b"\r\n")
    while _line(incoming) != b"\r\n":
        pass  # trailing fields say nothing that a server must know
    server.sendall(b"0\r\n\r\n")


def _line(incoming: Incoming) -> bytes:
    return incoming.through(b"\n", MAX_LINE_BYTES, time.monotonic() + HALF_OPEN_SECONDS)


def _shut(endpoint: socket.socket) -> None:
    with suppress(OSError):
        endpoint.shutdown(socket.SHUT_RDWR)
