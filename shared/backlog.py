"""How many attempts may wait for a slot: a client in a loop must not fill the store with starts."""

from __future__ import annotations

from shared.errors import TooManyRequests
from shared.lifecycle import Status
from shared.store.models import Attempt

RETRY_SECONDS = 30
_most: int | None = None


def bound(most: int) -> None:
    """Bound the queue for the requests of this process; what workers continue by themselves is not counted out."""
    global _most
    _most = most


def require_room() -> None:
    """Raise TooManyRequests when the queue is full."""
    if _most is not None and queued() >= _most:
        raise TooManyRequests(
            f"{_most} attempts wait for a slot, the most there can be; start this one later.",
            headers={"Retry-After": str(RETRY_SECONDS)},
        )


def queued() -> int:
    return int(Attempt.select().where(Attempt.status == Status.QUEUED, Attempt.finished_at.is_null()).count())
