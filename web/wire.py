"""The socket under a websocket: one writer at a time, a deadline for each frame, and frames encoded once.

simple-websocket 1.1 writes from two threads without a lock and without `sendall`: under back-pressure its frames
get mixed (measured, web.md 1.2). `Wire` takes its socket's place.
"""

from __future__ import annotations

import fcntl
import select
import socket
import struct
import termios
import threading
import time
from contextlib import suppress
from typing import Any

DEADLINE_SECONDS = 5.0
POLL_SECONDS = 0.01
#: The kernel drops a peer that acknowledges nothing for this long, so that a vanished laptop frees its thread.
PEER_SECONDS = 30
MASKED_TEXT, LONGEST_SHORT, LONGEST_MEDIUM = 0x81, 125, 0xFFFF


class SlowConsumer(ConnectionError):
    """The peer did not take a frame within the deadline; `whole` when it stands at a frame's border."""

    def __init__(self, *, whole: bool) -> None:
        super().__init__("the peer reads too slowly")
        self.whole = whole


def text_frame(payload: bytes) -> bytes:
    """A server's unfragmented text frame (RFC 6455 5.2)."""
    size = len(payload)
    if size <= LONGEST_SHORT:
        head = struct.pack("!BB", MASKED_TEXT, size)
    elif size <= LONGEST_MEDIUM:
        head = struct.pack("!BBH", MASKED_TEXT, 126, size)
    else:
        head = struct.pack("!BBQ", MASKED_TEXT, 127, size)
    return head + payload


class Wire:
    """Stands in for the raw socket. Everything but writing and closing goes through unchanged."""

    def __init__(self, raw: socket.socket, deadline_seconds: float = DEADLINE_SECONDS) -> None:
        self._raw = raw
        self._deadline = deadline_seconds
        self._turn = threading.Lock()
        self._dead = False
        self._credit = 0
        self._rest = b""
        with suppress(OSError, AttributeError):
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, PEER_SECONDS * 1000)
        with suppress(OSError):
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 0))

    def send(self, data: bytes) -> int:
        """Write one frame whole. Raises SlowConsumer after the deadline, BrokenPipeError on a dead wire."""
        size = len(data)
        with self._turn:
            if self._dead:
                raise BrokenPipeError
            until = time.monotonic() + self._deadline
            if self._credit < len(data):
                self._wait_for_room(len(data), until)
            self._credit -= len(data)
            data, self._rest = self._rest + data, b""
            self._write(data, until)
        return size

    def offer(self, data: bytes) -> bool:
        """Write one frame if that takes no waiting; False, and nothing is written, where it would.

        What the kernel takes only in part is kept and goes before the next frame, or with `flush`.
        """
        if not self._turn.acquire(blocking=False):
            return False
        try:
            if self._dead or self._rest or (self._credit < len(data) and not self._has_room(len(data))):
                return False
            self._credit -= len(data)
            self._rest = data[self._raw.send(data, socket.MSG_DONTWAIT) :]
            return True
        except OSError:
            return False
        finally:
            self._turn.release()

    @property
    def partial(self) -> bool:
        """Whether `flush` has something to do."""
        return bool(self._rest)

    def flush(self) -> None:
        """Write what an offered frame left. Raises as `send` does."""
        if self._rest:
            self.send(b"")

    def send_last(self, data: bytes) -> None:
        """Write a small closing frame if it fits at once; nothing is sent after it."""
        with self._turn, suppress(OSError):
            if not self._dead and not self._rest:
                self._raw.send(data, socket.MSG_DONTWAIT)
            self._dead = True

    def finish(self) -> None:
        """End the receiving thread, which may sit in recv; the server closes the socket itself."""
        with suppress(OSError):
            self._raw.shutdown(socket.SHUT_RD)

    def close(self) -> None:
        """Not ours to close: a reset now could overtake the closing frame."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def _wait_for_room(self, size: int, until: float) -> None:
        """Begin a frame only when it fits into half the buffer, so that a closing frame still finds its place.

        What is known to fit is credit for the frames to come: asking the kernel each time costs more than sending.
        """
        while not self._has_room(size):
            if time.monotonic() >= until:
                raise SlowConsumer(whole=not self._rest)
            time.sleep(POLL_SECONDS)

    def _has_room(self, size: int) -> bool:
        """Whether a frame of this size may begin; a large one also when nothing is unsent."""
        half = self._raw.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) // 2
        waiting = self._unsent()
        self._credit = half - waiting
        return waiting <= 0 or waiting + size <= half

    def _unsent(self) -> int:
        """Bytes the peer has not acknowledged; 0 where that cannot be asked."""
        try:
            found: int = struct.unpack("i", fcntl.ioctl(self._raw.fileno(), termios.TIOCOUTQ, b"\0" * 4))[0]
        except OSError:
            return 0
        return found

    def _write(self, data: bytes, until: float) -> None:
        poller, rest = None, memoryview(data)
        while rest:
            try:
                rest = rest[self._raw.send(rest, socket.MSG_DONTWAIT) :]
                continue
            except BlockingIOError:
                pass
            if poller is None:
                poller = select.poll()
                poller.register(self._raw, select.POLLOUT)
            left = until - time.monotonic()
            if left <= 0 or not poller.poll(left * 1000):
                self._dead = True
                with suppress(OSError):
                    self._raw.shutdown(socket.SHUT_RDWR)
                raise SlowConsumer(whole=False)
