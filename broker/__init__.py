"""Who carries messages between web and workers: an SQLite file on one host, or Redis. It is only a doorbell."""

from __future__ import annotations

from collections.abc import Mapping

import dramatiq
from dramatiq.middleware import Middleware, Retries

from broker.sqlite import SqliteBroker
from shared.config import Config


def make(config: Config, *, prefetch: Mapping[str, int] | None = None) -> dramatiq.Broker:
    """The broker that `config` names. It opens nothing and starts nothing before its first use.

    `prefetch` caps, per queue, how many messages this process takes at once. To enqueue to a queue that this
    process does not consume, `declare_queue` it first. Every failure to enqueue is a dramatiq.errors.BrokerError,
    in bounded time; callers may ignore it, because the store's sweep rings again.
    """
    if config.broker == "sqlite":
        return SqliteBroker(config.broker_file, middleware=_middleware(), prefetch=prefetch)
    from broker.redis import RedisBroker  # 0.1 s to import, and most installations have no Redis

    return RedisBroker(url=config.broker, middleware=_middleware(), prefetch=prefetch)


def _middleware() -> list[Middleware]:
    """Without Retries a message whose actor raises counts as done; with it, it becomes a dead letter.

    No time limit, age limit or callbacks: actors are short, and the store decides what is tried again.
    """
    return [Retries(max_retries=0)]
