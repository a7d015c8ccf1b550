"""A time limit for everything that touches git in one thread: what must not hold up an agent or a person's words."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_until: ContextVar[float | None] = ContextVar("until", default=None)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """What is done inside fails, as if each of its waits were short, once so many seconds have passed."""
    token = _until.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _until.reset(token)


def shortened(seconds: float) -> float:
    """How long something that may take `seconds` may take here."""
    until = _until.get()
    return seconds if until is None else max(0.0, min(seconds, until - time.monotonic()))


def is_over() -> bool:
    return shortened(1.0) == 0.0
