"""How often one caller may do something: present a wrong credential, or write."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque

WINDOW_SECONDS = 60.0
CALLERS = 1024


class Throttle:
    """A sliding window per caller, in memory; the oldest callers are forgotten beyond a bound."""

    def __init__(self, limit: int, window_seconds: float = WINDOW_SECONDS) -> None:
        self._limit, self._window = limit, window_seconds
        self._guard = threading.Lock()
        self._seen: OrderedDict[str, deque[float]] = OrderedDict()

    def count(self, caller: str) -> int:
        """Count one more; the seconds to wait when it is one too many, else 0."""
        now = time.monotonic()
        with self._guard:
            times = self._seen.setdefault(caller, deque())
            self._seen.move_to_end(caller)
            if len(self._seen) > CALLERS:
                self._seen.popitem(last=False)
            while times and times[0] <= now - self._window:
                times.popleft()
            if len(times) >= self._limit:
                return max(1, round(times[0] + self._window - now))
            times.append(now)
            return 0
