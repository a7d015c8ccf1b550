"""Waiting on a condition with a deadline: what every test uses instead of sleeping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Deadline:
    """A point in time `seconds` from now; hand `remaining()` to each blocking call of one test step."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._ends = time.monotonic() + seconds

    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self._ends - time.monotonic())

    @property
    def expired(self) -> bool:
        return self.remaining() == 0.0


def wait_until(
    condition: Callable[[], T],
    timeout: float = 30.0,
    *,
    what: str = "",
    every: float = 0.01,
    ignoring: tuple[type[BaseException], ...] = (),
) -> T:
    """The first truthy value of `condition`, asked again every `every` seconds.

    Exceptions in `ignoring` count as "not yet". Raises AssertionError after `timeout` seconds with `what` was
    waited for and the last value or error seen.
    """
    deadline = Deadline(timeout)
    while True:
        last: object
        try:
            value = condition()
            if value:
                return value
            last = value
        except ignoring as error:
            last = error
        if deadline.expired:
            raise AssertionError(
                f"waited {timeout:g} s for {what or getattr(condition, '__name__', condition)}; last: {last!r}"
            )
        time.sleep(min(every, deadline.remaining()))
