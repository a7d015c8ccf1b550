"""Messages, consumers and workers of the broker tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import dramatiq
from dramatiq.broker import Consumer, MessageProxy
from dramatiq.middleware import Middleware, Retries

from broker.consumers import Consumers
from tests.waiting import Deadline, wait_until

QUEUE = "doorbells"
PATIENCE = 10.0


@dataclass
class Rig:
    """A broker under test, and what Dramatiq's interface does not offer."""

    broker: dramatiq.Broker
    dead: Callable[[str], list[str]]
    """Message ids of a queue's dead letters."""
    again: Callable[[], dramatiq.Broker] | None = None
    """Another broker over the same messages, as another process would have."""
    spoil: Callable[[str], None] | None = None
    """Put a body that cannot be decoded into a queue."""


def middleware() -> list[Middleware]:
    return [Retries(max_retries=0)]


def message(*args: Any, queue: str = QUEUE, actor: str = "ring", **options: Any) -> dramatiq.Message[Any]:
    return dramatiq.Message(queue_name=queue, actor_name=actor, args=args, kwargs={}, options=options)


def take(consumer: Consumer, count: int) -> list[MessageProxy]:
    """The next `count` messages."""
    deadline, found = Deadline(PATIENCE), []
    while len(found) < count:
        assert not deadline.expired, f"{len(found)} of {count} messages arrived"
        delivery = next(consumer)
        if delivery is not None:
            found.append(delivery)
    return found


def nothing_comes(consumer: Consumer) -> bool:
    """Whether several looks find no message."""
    return all(next(consumer) is None for _ in range(3))


@contextmanager
def consuming(broker: dramatiq.Broker, queue: str = QUEUE, prefetch: int = 8) -> Iterator[Consumer]:
    consumer = broker.consume(queue, prefetch, 50)
    try:
        yield consumer
    finally:
        consumer.close()


@contextmanager
def working(broker: dramatiq.Broker, threads: int = 2) -> Iterator[Consumers]:
    worker = Consumers(broker, worker_timeout=50, worker_threads=threads)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop(timeout=5_000)


class Recorder:
    """An actor that records its arguments."""

    def __init__(self, broker: dramatiq.Broker, *, queue: str = QUEUE, name: str = "ring") -> None:
        self.seen: list[Any] = []
        self.actor = dramatiq.actor(self._record, broker=broker, actor_name=name, queue_name=queue)

    def _record(self, value: Any) -> None:
        self.seen.append(value)

    def has(self, count: int) -> bool:
        return wait_until(lambda: len(self.seen) >= count, PATIENCE, what=f"{count} calls of the actor")
