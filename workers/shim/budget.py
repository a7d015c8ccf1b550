"""The clock of an attempt: how long the agent worked, not counting the time it waited for a person."""

from __future__ import annotations

import time


class WorkClock:
    """Runs while nothing pauses it; pauses have names and do not add up."""

    def __init__(self, wall_seconds: float | None) -> None:
        self._wall_seconds = wall_seconds
        self._worked = 0.0
        self._since: float | None = time.monotonic()
        self._pauses: set[str] = set()

    @property
    def worked_seconds(self) -> float:
        return self._worked + (time.monotonic() - self._since if self._since is not None else 0.0)

    @property
    def paused(self) -> bool:
        return bool(self._pauses)

    @property
    def ends_at(self) -> float | None:
        """When the budget is used up, on the monotonic clock; None while it is not being used."""
        if self._wall_seconds is None or self._since is None:
            return None
        return self._since + self._wall_seconds - self._worked

    def pause(self, name: str) -> None:
        self._pauses.add(name)
        if self._since is not None:
            self._worked, self._since = self.worked_seconds, None

    def resume(self, name: str) -> None:
        self._pauses.discard(name)
        if not self._pauses and self._since is None:
            self._since = time.monotonic()

    def stop(self) -> None:
        """The agent has ended; from here on no time counts."""
        self.pause("ended")
