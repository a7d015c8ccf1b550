"""One websocket's place in the hub: its bounded queue, and how far each of its topics has come."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

#: What may wait for one reader (web.md 1.4); beyond it the queue is dropped and the client asks again.
QUEUE_FRAMES = 1000
QUEUE_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Frame:
    """One encoded websocket frame, shared by all who get it; `first` and `last` are 0 without events."""

    topic: str
    first: int
    last: int
    data: bytes


class Subscriber:
    """Filled by the hub's thread, emptied by the socket's; `wake` rings the latter."""

    def __init__(self, wake: threading.Event, holder: str = "") -> None:
        self.wake = wake
        #: The credential whose place it takes.
        self.holder = holder
        #: Delivers a frame at once and says whether it did: 500 threads woken for 500 sends cost four times the CPU.
        self.deliver: Callable[[Frame], bool] = lambda frame: False
        self._guard = threading.Lock()
        self._frames: deque[Frame] = deque()
        self._bytes = 0
        self._overflowed = False

    def offer(self, frame: Frame) -> bool:
        """Deliver a frame, or queue it; False when the queue is full, which drops all of it."""
        if not self._frames and not self._overflowed and self.deliver(frame):
            return True
        with self._guard:
            if self._overflowed:
                return False
            if len(self._frames) >= QUEUE_FRAMES or self._bytes + len(frame.data) > QUEUE_BYTES:
                self._frames.clear()
                self._bytes = 0
                self._overflowed = True
            else:
                self._frames.append(frame)
                self._bytes += len(frame.data)
        self.wake.set()
        return not self._overflowed

    def take(self) -> list[Frame]:
        """All waiting frames."""
        with self._guard:
            frames = list(self._frames)
            self._frames.clear()
            self._bytes = 0
            return frames

    @property
    def waiting(self) -> bool:
        """Whether frames wait, or were dropped."""
        return bool(self._frames) or self._overflowed

    def overflowed(self) -> bool:
        """Whether frames were dropped since the last call; asking clears it."""
        with self._guard:
            was, self._overflowed = self._overflowed, False
            return was
