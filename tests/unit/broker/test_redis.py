"""What the Redis broker promises beyond the contract: bounded time, errors of one kind, keys that expire."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import fakeredis
import pytest
import redis
from dramatiq.errors import ConnectionClosed

from broker.redis import IDLE_MILLISECONDS, NAMESPACE, RedisBroker
from tests.unit.broker.deliveries import QUEUE, consuming, message, middleware, take


@pytest.fixture
def client() -> fakeredis.FakeStrictRedis:
    return fakeredis.FakeStrictRedis()


@pytest.fixture
def broker(client: fakeredis.FakeStrictRedis) -> Iterator[RedisBroker]:
    broker = RedisBroker(client=client, middleware=middleware())
    broker.declare_queue(QUEUE)
    yield broker
    broker.close()


@pytest.fixture
def deaf() -> Iterator[str]:
    """An address where nothing answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"redis://127.0.0.1:{taken.getsockname()[1]}/0"


def test_nothing_is_connected_before_the_first_use(deaf: str) -> None:
    broker = RedisBroker(url=deaf)
    broker.declare_queue(QUEUE)
    broker.close()


def test_enqueue_without_a_server_fails_soon_with_a_broker_error(deaf: str) -> None:
    broker = RedisBroker(url=deaf)
    broker.declare_queue(QUEUE)
    before = time.monotonic()
    with pytest.raises(ConnectionClosed, match="Redis cannot be used"):
        broker.enqueue(message(1))
    assert time.monotonic() - before < 5
    broker.close()


def test_an_answer_that_never_comes_is_a_broker_error_everywhere(
    broker: RedisBroker, client: fakeredis.FakeStrictRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.enqueue(message(1))
    with consuming(broker) as consumer:
        (delivery,) = take(consumer, 1)

        def time_out(*_: object, **__: object) -> None:
            raise redis.TimeoutError("Timeout reading from socket")

        with monkeypatch.context() as broken:
            broken.setattr(client, "execute_command", time_out)
            for call in (
                lambda: consumer.ack(delivery),
                lambda: consumer.nack(delivery),
                lambda: consumer.requeue([delivery]),
                lambda: next(consumer),
                lambda: broker.enqueue(message(2)),
                lambda: broker.queue_size(QUEUE),
                lambda: broker.flush(QUEUE),
                lambda: broker.join(QUEUE, timeout=100),
            ):
                with pytest.raises(ConnectionClosed):
                    call()
        consumer.ack(delivery)
    assert broker.queue_size(QUEUE) == 0


def test_an_idle_queue_is_looked_at_often(broker: RedisBroker) -> None:
    consumer = broker.consume(QUEUE, 1, timeout=30_000)
    for _ in range(12):
        before = time.monotonic()
        assert next(consumer) is None
        assert time.monotonic() - before < IDLE_MILLISECONDS / 1000 + 0.5
    consumer.close()


def test_every_key_of_a_queue_expires(broker: RedisBroker, client: fakeredis.FakeStrictRedis) -> None:
    broker.enqueue(message(1))
    broker.enqueue(message(2), delay=1000)
    keys = [key.decode() for key in client.keys(f"{NAMESPACE}:{QUEUE}*")]
    assert len(keys) == 4
    for key in keys:
        assert client.ttl(key) > (7 * 86_400 if ".DQ" in key else 0), key
