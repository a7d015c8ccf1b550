"""Requests reach a thread only once they have arrived: whoever sends slowly holds a socket, not a thread."""

from __future__ import annotations

import contextlib
import re
import selectors
import socket
import time
from functools import partial
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

#: A request's head, and a body of up to this size with it, are waited for outside of the threads.
ARRIVAL_BYTES = 64 * 1024
ARRIVAL_SECONDS = 15.0
#: Connections whose requests are still arriving, or that rest between two: beyond it the oldest is closed.
MOST_WAITING = 256
#: What is left of a body nobody read is waited for this long before the connection is closed.
DRAIN_SECONDS = 0.5
HEAD_END = b"\r\n\r\n"
LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*\r\n", re.IGNORECASE)
EXPECT = re.compile(rb"\r\nexpect:", re.IGNORECASE)


class ArrivalsWorker(ThreadWorker):
    """Gunicorn's threads, with a waiting room before them. Everything here runs in the main thread."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        #: Connection to the moment it is given up, oldest first, and how much of it was seen.
        self._arriving: dict[Any, tuple[float, int]] = {}

    def enqueue_req(self, conn: Any) -> None:
        """Hand the connection to a thread, now or when its request is complete."""
        until, before = self._arriving.pop(conn, (time.monotonic() + ARRIVAL_SECONDS, -1))
        seen = _seen(conn)
        if seen is None or len(seen) == before or is_whole(seen):  # no more comes where nothing new came
            conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
            conn.data_ready = True
            super().enqueue_req(conn)
            return
        self._arriving[conn] = until, len(seen)
        conn.sock.setblocking(False)
        unread = len(seen) - len(_buffered(conn))
        #: The poller is to wake for more than what lies there unread.
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, unread + 1)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._more, conn))
        if len(self._arriving) > MOST_WAITING:
            self._give_up(next(iter(self._arriving)))

    def _more(self, conn: Any, client: Any) -> None:
        self.poller.unregister(client)
        self.enqueue_req(conn)

    def murder_pending(self) -> None:
        """Close what has not arrived in time; called once a second."""
        super().murder_pending()
        late = [conn for conn, (until, _) in self._arriving.items() if until <= time.monotonic()]
        for conn in late:
            self._give_up(conn)

    def finish_request(self, conn: Any, fs: Any) -> None:
        super().finish_request(conn, fs)
        if len(self.keepalived_conns) > MOST_WAITING:
            self.keepalived_conns[0].timeout = 0.0
            self.murder_keepalived()

    def _give_up(self, conn: Any) -> None:
        del self._arriving[conn]
        with contextlib.suppress(OSError, KeyError, ValueError):
            self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()

    def _keepalive_after(self, conn: Any, keepalive: bool) -> bool:
        return keepalive and bool(conn.parser.finish_body(deadline=time.monotonic() + DRAIN_SECONDS))


def is_whole(seen: bytes) -> bool:
    """Whether the first bytes of a connection are a request that a thread can read without waiting long.

    A longer body is read as it comes, by whoever was let in; a client that asks before it sends must be answered.
    """
    end = seen.find(HEAD_END)
    if end < 0:
        return len(seen) >= ARRIVAL_BYTES
    head = seen[: end + len(HEAD_END)]
    length = LENGTH.search(head)
    whole = len(head) + (int(length[1]) if length else 0)
    return len(seen) >= whole or whole > ARRIVAL_BYTES or bool(EXPECT.search(head))


def _buffered(conn: Any) -> bytes:
    """What the parser read ahead with the request before this one."""
    return b"" if conn.parser is None else bytes(conn.parser.unreader.buf.getvalue())


def _seen(conn: Any) -> bytes | None:
    """What has come of the next request; None when the client is gone."""
    try:
        unread = conn.sock.recv(ARRIVAL_BYTES, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return _buffered(conn)
    except OSError:
        return None
    return _buffered(conn) + unread if unread else None
