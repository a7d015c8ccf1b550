"""How often one address may present a wrong credential."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque

#: Wrong credentials per address and minute (reliability S8); right ones are never counted.
LIMIT = 20
WINDOW_SECONDS = 60.0
ADDRESSES = 1024


class Throttle:
    """A sliding window per address, in memory; the oldest addresses are forgotten beyond a bound."""

    def __init__(self, limit: int = LIMIT, window_seconds: float = WINDOW_SECONDS) -> None:
        self._limit, self._window = limit, window_seconds
        self._guard = threading.Lock()
        self._seen: OrderedDict[str, deque[float]] = OrderedDict()

    def failed(self, address: str) -> int:
        """Count a wrong credential; the seconds to wait when it is one too many, else 0."""
        now = time.monotonic()
        with self._guard:
            times = self._seen.setdefault(address, deque())
            self._seen.move_to_end(address)
            if len(self._seen) > ADDRESSES:
                self._seen.popitem(last=False)
            while times and times[0] <= now - self._window:
                times.popleft()
            if len(times) >= self._limit:
                return max(1, round(times[0] + self._window - now))
            times.append(now)
            return 0
