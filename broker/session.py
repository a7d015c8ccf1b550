"""What one process holds of the queue: its connection, its lock, its bell, and messages no thread has yet."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from dramatiq.errors import ConnectionFailed

from broker.connection import QueueFile
from broker.liveness import OwnerLock, Owners
from broker.rows import Claim, Limits, Rows
from broker.wakeup import Listener, Wakeup

REAP_SECONDS = 1.0
PRUNE_SECONDS = 60.0


class Lane:
    """One queue as this process consumes it. It outlives a consumer, which Dramatiq replaces after an error."""

    def __init__(self) -> None:
        self.buffer: deque[Claim] = deque()
        self.full = False
        """Whether the consumer found no free slot and waits for one."""
        self._bell = threading.Condition()
        self._rings = 0

    def take_all(self) -> Iterator[Claim]:
        """Take claims off the buffer, one at a time; a flush may empty it in between."""
        while True:
            try:
                claim = self.buffer.popleft()
            except IndexError:
                return
            yield claim

    def rings(self) -> int:
        """Read it before looking at the database, and hand it to `wait`."""
        return self._rings

    def ring(self) -> None:
        """End the consumer's wait."""
        with self._bell:
            self._rings += 1
            self._bell.notify_all()

    def wait(self, seen: int, timeout_seconds: float) -> None:
        """Sleep until a ring after `seen`, at most `timeout_seconds`."""
        with self._bell:
            if self._rings == seen:
                self._bell.wait(timeout_seconds)


class Session:
    """Belongs to one process; a forked child makes its own. `attend` turns a producer into a consumer."""

    def __init__(self, path: Path, limits: Limits, *, synchronous: str, busy_timeout_seconds: float) -> None:
        directory = path.with_name(f"{path.name}.run")
        self._file = QueueFile(path, synchronous=synchronous, busy_timeout_seconds=busy_timeout_seconds)
        self._owners = Owners(directory)
        self._wakeup = Wakeup(directory, watch=path)
        self._guard = threading.Lock()
        self._lock: OwnerLock | None = None
        self._listener: Listener | None = None
        self._thread: threading.Thread | None = None
        self._lanes: dict[str, Lane] = {}
        self._closing = False
        self.leaving = False
        """Whether consumers no longer wait for messages."""
        self._reaped_at = self._pruned_at = float("-inf")
        self.rows = Rows(self._file, limits)

    def lane(self, queue: str) -> Lane:
        return self._lanes.setdefault(queue, Lane())

    def attend(self) -> str:
        """Take the process lock, start listening, take over from the dead; the owner's name for claims.

        Every queue's consumer thread calls it, all at once when the worker boots.
        """
        with self._guard:
            if self._lock is None:
                try:
                    self._lock = self._owners.take()
                except OSError as error:
                    raise ConnectionFailed(f"The worker cannot prove that it lives: {error}.") from error
                self._owners.remove_dead()
            if self._thread is None and not self._closing:
                self._listener = self._wakeup.listener()
                self._thread = threading.Thread(target=self._listen, name="broker-wakeup", daemon=True)
                self._thread.start()
            return self._lock.owner

    def announce(self, queue: str) -> None:
        """Ring all who might consume `queue`, in this process and in others."""
        lane = self._lanes.get(queue)
        if lane is not None:
            lane.ring()
        self._wakeup.notify(besides=self._listener)

    def reap(self) -> None:
        """Once a second: prove to be alive, and let the messages of dead processes wait again."""
        now = time.monotonic()
        if now - self._reaped_at < REAP_SECONDS:
            return
        self._reaped_at = now
        if self._lock is not None:
            self._lock.keep()
        released = [
            self.rows.release(owner) for owner in self.rows.owners() if not self._owners.is_alive(owner)
        ]
        if any(released):
            self._ring_lanes()
            self._wakeup.notify(besides=self._listener)

    def prune(self) -> None:
        """Once a minute: hold the file to its limits."""
        now = time.monotonic()
        if now - self._pruned_at >= PRUNE_SECONDS:
            self._pruned_at = now
            self.rows.prune()

    def end_waits(self) -> None:
        """Wake every consumer for good."""
        self.leaving = True
        self._ring_lanes()

    def close(self) -> None:
        """Stop listening, be dead to the others, close the file."""
        with self._guard:
            self._closing = True
            thread, lock = self._thread, self._lock
            self._thread = self._lock = None
        if self._listener is not None and thread is not None:
            self._listener.poke()
            thread.join()
            self._listener.close()
            self._listener = None
        self._file.close()
        if lock is not None:
            lock.release()

    def _listen(self) -> None:
        while self._listener is not None and not self._closing:
            if self._listener.wait(REAP_SECONDS):
                self._ring_lanes()
            elif self._listener.is_lost():
                self._listener.close()
                self._listener = self._wakeup.listener()

    def _ring_lanes(self) -> None:
        for lane in list(self._lanes.values()):
            lane.ring()
