"""A durable Dramatiq broker over one SQLite file, for all processes of one host.

The queue is only a doorbell: the store is the truth, and its sweep rings again for what is lost. So the file is
written with synchronous=NORMAL, where a power cut may undo the last commits; a crash of a process loses nothing.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import dramatiq
from dramatiq.broker import Consumer, MessageProxy
from dramatiq.common import q_name
from dramatiq.errors import ConnectionClosed, DecodeError, QueueJoinTimeout, QueueNotFound
from dramatiq.middleware import Middleware

from broker.rows import Claim, DeadLetter, Limits
from broker.session import Lane, Session

SAFETY_NET_SECONDS = 1.0
"""How long a consumer sleeps at most, should a wake-up be lost."""
JOIN_INTERVAL_SECONDS = 0.02


class SqliteBroker(dramatiq.Broker):
    """Carries messages in the file at `path`; its folder must exist. Nothing is opened before the first use.

    Message options it understands: `priority` (lower first; the actor's where that is declared in this process),
    `dedup_key` (dropped when a message with the same key already waits in the same queue).
    `prefetch` caps, per queue, how many messages this process claims at once, whatever the worker asks for.
    A delayed message stays in its row until it is due: there are no delay queues.

    The file may be removed at any time. Errors of the file are dramatiq.errors.ConnectionClosed, after at most
    twice `busy_timeout_seconds`.
    """

    def __init__(
        self,
        path: Path,
        *,
        middleware: list[Middleware] | None = None,
        prefetch: Mapping[str, int] | None = None,
        synchronous: str = "NORMAL",
        busy_timeout_seconds: float = 5.0,
        limits: Limits | None = None,
    ) -> None:
        super().__init__(middleware)
        if synchronous not in ("OFF", "NORMAL", "FULL", "EXTRA"):
            raise ValueError(f"synchronous must be OFF, NORMAL, FULL or EXTRA, not {synchronous!r}.")
        self.path = Path(os.path.abspath(path))
        self._prefetch = dict(prefetch or {})
        self._settings = {"synchronous": synchronous, "busy_timeout_seconds": busy_timeout_seconds}
        self._limits = limits or Limits()
        self._guard = threading.Lock()
        self._session: Session | None = None
        self._inherited: list[Session] = []
        self._closed = False
        _brokers.add(self)

    def declare_queue(self, queue_name: str) -> None:
        """Idempotent, and allowed at any time: a running worker starts to consume it at once."""
        if queue_name in self.queues:
            return
        self.emit_before("declare_queue", queue_name)
        self.queues[queue_name] = None
        self.emit_after("declare_queue", queue_name)

    def enqueue(self, message: dramatiq.Message[Any], *, delay: int | None = None) -> dramatiq.Message[Any]:
        """Store the message, due in `delay` milliseconds, and ring; returns the message as stored.

        Raises QueueNotFound, ConnectionClosed.
        """
        queue = self._declared(q_name(message.queue_name))
        options = dict(message.options)
        eta = options.pop("eta", None)  # a consumer that found it would delay the message once more
        stored = dramatiq.Message(
            queue_name=queue,
            actor_name=message.actor_name,
            args=message.args,
            kwargs=message.kwargs,
            options=options,
            message_id=message.message_id,
            message_timestamp=message.message_timestamp,
        )
        key = options.get("dedup_key")
        session = self._open()
        self.emit_before("enqueue", stored, delay)
        session.rows.insert(
            stored,
            due_at=_due_at(delay, eta),
            priority=self._priority(stored),
            dedup_key=None if key is None else str(key),
        )
        self.emit_after("enqueue", stored, delay)
        session.announce(queue)
        session.prune()
        return stored

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 1000) -> Consumer:
        """A consumer that waits `timeout` milliseconds for a message. Raises QueueNotFound, ConnectionClosed."""
        queue = self._declared(queue_name)
        session = self._open()
        owner = session.attend()
        session.reap()
        return _Consumer(session, queue, owner, min(prefetch, self._prefetch.get(queue, prefetch)), timeout)

    def queue_size(self, queue_name: str) -> int:
        """Messages waiting, delayed or claimed. Raises QueueNotFound, ConnectionClosed."""
        return self._open().rows.size(self._declared(q_name(queue_name)))

    def dead_letters(self, queue_name: str | None = None, *, count: int = 100) -> list[DeadLetter]:
        """The latest, newest first, of one queue or of all. Raises ConnectionClosed."""
        return self._open().rows.dead_letters(queue_name, count)

    def flush(self, queue_name: str) -> None:
        """Drop the queue's messages and dead letters; what is in work ends, but is no longer known."""
        queue = self._declared(q_name(queue_name))
        session = self._open()
        session.rows.flush(queue)
        session.lane(queue).buffer.clear()

    def flush_all(self) -> None:
        """Flush every declared queue."""
        for queue in list(self.queues):
            self.flush(queue)

    def join(self, queue_name: str, *, timeout: int | None = None) -> None:
        """Wait up to `timeout` milliseconds until the queue is empty, for tests.

        Raises QueueJoinTimeout, QueueNotFound, ConnectionClosed.
        """
        deadline = None if timeout is None else time.monotonic() + timeout / 1000
        while self.queue_size(queue_name):
            if deadline is not None and time.monotonic() >= deadline:
                raise QueueJoinTimeout(f"Queue {queue_name} is not empty after {timeout} ms.")
            time.sleep(JOIN_INTERVAL_SECONDS)

    def end_waits(self) -> None:
        """Have this process's consumers return at once from now on, with a message or without one."""
        if self._session is not None:
            self._session.end_waits()

    def close(self) -> None:
        """Close for good. Messages this process still claims go to the others at once."""
        with self._guard:
            self._closed = True
            session, self._session = self._session, None
        if session is not None:
            session.close()

    def _open(self) -> Session:
        with self._guard:
            if self._closed:
                raise ConnectionClosed("The broker is closed.")
            if self._session is None:
                self._session = Session(self.path, self._limits, **self._settings)  # type: ignore[arg-type]
            return self._session

    def _declared(self, queue: str) -> str:
        if queue not in self.queues:
            raise QueueNotFound(queue)
        return queue

    def _priority(self, message: dramatiq.Message[Any]) -> int:
        priority = message.options.get("priority")
        if priority is None and message.actor_name in self.actors:
            priority = self.actors[message.actor_name].priority
        return int(priority or 0)

    def _forget_parent(self) -> None:
        """In a forked child: SQLite forbids using a connection over a fork, and locks may be held for ever.

        The parent's session is kept, because dropping it would close the connection.
        """
        self._guard = threading.Lock()
        if self._session is not None:
            self._inherited.append(self._session)
            self._session = None


class _Delivery(MessageProxy):
    def __init__(self, message: dramatiq.Message[Any], claim: Claim) -> None:
        super().__init__(message)
        self.claim = claim


class _Consumer(Consumer):
    """Iterated by its consumer thread; acknowledged from worker threads."""

    def __init__(self, session: Session, queue: str, owner: str, prefetch: int, timeout: int) -> None:
        self._session = session
        self._queue = queue
        self._owner = owner
        self._prefetch = prefetch
        self._timeout_seconds = timeout / 1000
        self._lane: Lane = session.lane(queue)

    def __next__(self) -> _Delivery | None:
        deadline = time.monotonic() + self._timeout_seconds
        while True:
            delivery = self._buffered()
            if delivery is not None:
                return delivery
            self._session.reap()
            self._session.prune()
            rings = self._lane.rings()
            patience = self._refill()
            left = deadline - time.monotonic()
            if self._lane.buffer:
                continue
            if left <= 0 or self._session.leaving:
                return None
            self._lane.wait(rings, min(left, patience))

    def ack(self, message: _Delivery) -> None:
        self._session.rows.acknowledge(message.claim)
        self._slot_is_free()

    def nack(self, message: _Delivery) -> None:
        self._session.rows.reject(message.claim, _reason(message._exception))
        self._slot_is_free()

    def requeue(self, messages: Iterable[_Delivery]) -> None:
        self._give_back([message.claim for message in messages])

    def close(self) -> None:
        """Give back what no worker thread has seen; where that fails, the queue's next consumer has it."""
        claims = list(self._lane.take_all())
        try:
            self._give_back(claims)
        except BaseException:
            self._lane.buffer.extendleft(reversed(claims))
            raise

    def _buffered(self) -> _Delivery | None:
        for claim in self._lane.take_all():
            try:
                return _Delivery(dramatiq.Message.decode(claim.body), claim)
            except DecodeError as error:
                self._bury(claim, f"Its body cannot be decoded: {error.error!r}.")
        return None

    def _bury(self, claim: Claim, reason: str) -> None:
        try:
            self._session.rows.reject(claim, reason)
        except BaseException:
            self._lane.buffer.appendleft(claim)
            raise

    def _refill(self) -> float:
        """Claim what is due into the buffer; the seconds until it is worth looking again."""
        self._lane.full = True  # before looking, so that an acknowledgement from now on rings
        look = self._session.rows.look(self._queue, self._owner, self._prefetch)
        if look.claimable:
            self._lane.full = False
            self._lane.buffer.extend(self._session.rows.claim(self._queue, self._owner, look.claimable))
        if look.next_due_at is None:
            return SAFETY_NET_SECONDS
        return min(SAFETY_NET_SECONDS, max(0.0, look.next_due_at - time.time()))

    def _give_back(self, claims: list[Claim]) -> None:
        if claims:
            self._session.rows.give_back(claims)
            self._session.announce(self._queue)

    def _slot_is_free(self) -> None:
        if self._lane.full:
            self._lane.ring()


def _due_at(delay: int | None, eta: object) -> float:
    """Unix seconds; 0 where no delay was asked for, so that a clock set back cannot hold a message up."""
    if delay is not None:
        return time.time() + delay / 1000
    return float(eta) / 1000 if isinstance(eta, int | float) else 0.0


def _reason(error: BaseException | None) -> str:
    return "Rejected." if error is None else f"{type(error).__name__}: {error}"


_brokers: weakref.WeakSet[SqliteBroker] = weakref.WeakSet()


def _forget_parents() -> None:
    for broker in list(_brokers):
        broker._forget_parent()


os.register_at_fork(after_in_child=_forget_parents)
