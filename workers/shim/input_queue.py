"""What is still to be written to an agent's input, without ever waiting for the agent."""

from __future__ import annotations

import os
import selectors

MAX_UNSENT_BYTES = 64 << 20
_PIECE_BYTES = 1 << 16
_END_OF_TRANSMISSION = b"\x04"


class InputQueue:
    """Bytes for the agent's standard input: a pipe, or the controlling side of a terminal."""

    def __init__(self, selector: selectors.BaseSelector, descriptor: int, pty: bool) -> None:
        self._selector, self._descriptor, self._pty = selector, descriptor, pty
        self._queue = bytearray()
        self._registered = False
        self._closing = False
        self.closed = False

    @property
    def unsent(self) -> int:
        return len(self._queue)

    @property
    def takes_more(self) -> bool:
        """Whether input can be added; not once its end was asked for, or the agent closed its side."""
        return not (self._closing or self.closed)

    @property
    def is_idle(self) -> bool:
        """Whether the agent could be waiting for input: it is open, and the agent has been given all there is."""
        return self.takes_more and not self._queue

    def add(self, data: bytes) -> None:
        self._queue += data
        self._write()

    def close(self) -> None:
        """End the input behind what is queued: a pipe closes, a terminal is given ^D."""
        self._closing = True
        self._write()

    def _write(self, _: int = 0) -> None:
        if self.closed:
            return
        try:
            while self._queue:
                written = os.write(self._descriptor, self._queue[:_PIECE_BYTES])
                del self._queue[:written]
            if self._closing:
                self._end()
        except BlockingIOError:
            self._register()
            return
        except OSError:  # nobody reads it any more
            self._shut()
            return
        self._unregister()

    def _end(self) -> None:
        if self._pty:
            os.write(self._descriptor, _END_OF_TRANSMISSION)
            self._unregister()
            self.closed = True  # the descriptor stays: a terminal has one line for both directions
        else:
            self._shut()

    def _shut(self) -> None:
        self._unregister()
        self.closed = True
        if not self._pty:
            os.close(self._descriptor)

    def _register(self) -> None:
        if not self._registered:
            self._selector.register(self._descriptor, selectors.EVENT_WRITE, self._write)
            self._registered = True

    def _unregister(self) -> None:
        if self._registered:
            self._selector.unregister(self._descriptor)
            self._registered = False
