"""One websocket's place in the hub: its bounded queue, and how far each of its topics has come."""

from __future__ import annotations

import threading
from collections import deque
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

    def __init__(self, wake: threading.Event) -> None:
        self.wake = wake
        self._guard = threading.Lock()
        self._frames: deque[Frame] = deque()
        self._bytes = 0
        self._overflowed = False

    def offer(self, frame: Frame) -> bool:
        """Queue a frame; False when the queue is full, which drops all of it."""
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

    def overflowed(self) -> bool:
        """Whether frames were dropped since the last call; asking clears it."""
        with self._guard:
            was, self._overflowed = self._overflowed, False
            return was
