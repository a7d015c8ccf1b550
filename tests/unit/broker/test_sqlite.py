"""What the SQLite broker promises beyond the contract."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dramatiq
import pytest
from dramatiq.broker import Consumer

from broker.rows import Limits
from broker.sqlite import SqliteBroker
from tests.unit.broker.deliveries import (
    QUEUE,
    consuming,
    message,
    nothing_comes,
    take,
)
from tests.waiting import wait_until


def test_nothing_is_opened_before_the_first_use(broker: SqliteBroker, tmp_path: Path) -> None:
    threads = threading.active_count()
    assert os.listdir(tmp_path) == []
    assert threading.active_count() == threads
    broker.enqueue(message(1))
    assert (tmp_path / "broker.sqlite3").exists()
    assert threading.active_count() == threads, "a producer needs no thread"


def test_the_file_is_private(broker: SqliteBroker, tmp_path: Path) -> None:
    broker.enqueue(message(1))
    with consuming(broker) as consumer:
        take(consumer, 1)
        modes = {
            path.name: path.stat().st_mode & 0o077 for path in tmp_path.rglob("*") if not path.is_socket()
        }
    assert set(modes.values()) == {0}, modes


def test_lower_priority_numbers_come_first_and_equal_ones_in_order(broker: SqliteBroker) -> None:
    for number, priority in enumerate((5, 0, 5, -1)):
        broker.enqueue(message(number, priority=priority))
    with consuming(broker, prefetch=1) as consumer:
        assert take(consumer, 1)[0].args == (3,)
    with consuming(broker, prefetch=4) as consumer:
        assert [delivery.args[0] for delivery in take(consumer, 3)] == [1, 0, 2]


def test_the_actors_priority_counts_where_the_message_names_none(broker: SqliteBroker) -> None:
    for name, priority in (("slow", 10), ("urgent", 1)):
        dramatiq.actor(lambda: None, broker=broker, actor_name=name, queue_name=QUEUE, priority=priority)
        broker.enqueue(message(actor=name))
    with consuming(broker) as consumer:
        assert [delivery.actor_name for delivery in take(consumer, 2)] == ["urgent", "slow"]


def test_a_due_message_is_not_overtaken_by_later_ones(broker: SqliteBroker) -> None:
    broker.enqueue(message("delayed"), delay=1)
    due_at = time.time() + 0.001
    broker.enqueue(message("later"))
    wait_until(lambda: time.time() > due_at, every=0.001)
    with consuming(broker) as consumer:
        assert [delivery.args[0] for delivery in take(consumer, 2)] == ["delayed", "later"]


def test_a_message_due_at_an_eta_waits_for_it(broker: SqliteBroker) -> None:
    stored = broker.enqueue(message(1, eta=int(time.time() * 1000) + 60_000))
    assert "eta" not in stored.options
    with consuming(broker) as consumer:
        assert nothing_comes(consumer)


def test_a_delayed_message_takes_no_place_of_the_prefetch(broker: SqliteBroker) -> None:
    broker.enqueue(message("later"), delay=60_000)
    with consuming(broker, prefetch=1) as consumer:
        assert nothing_comes(consumer)
        broker.enqueue(message("now"))
        assert take(consumer, 1)[0].args == ("now",)


def test_a_clock_set_back_does_not_hold_a_message_up(
    broker: SqliteBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.enqueue(message(1))
    hour_ago = time.time() - 3600
    monkeypatch.setattr("broker.rows.time.time", lambda: hour_ago)
    with consuming(broker) as consumer:
        take(consumer, 1)


def test_a_ring_is_dropped_while_one_with_its_key_waits_in_its_queue(broker: SqliteBroker) -> None:
    broker.declare_queue("other")
    for queue in (QUEUE, QUEUE, "other"):
        broker.enqueue(message(queue=queue, dedup_key="start:1"))
    broker.enqueue(message(dedup_key="start:2"))
    assert (broker.queue_size(QUEUE), broker.queue_size("other")) == (2, 1)


def test_a_ring_during_the_work_is_delivered_after_it(broker: SqliteBroker) -> None:
    broker.enqueue(message(1, dedup_key="start:1"))
    with consuming(broker) as consumer:
        (first,) = take(consumer, 1)
        broker.enqueue(message(2, dedup_key="start:1"))
        consumer.requeue([first])
        assert {delivery.args[0] for delivery in take(consumer, 2)} == {1, 2}


def test_the_prefetch_cap_survives_a_new_consumer(broker: SqliteBroker) -> None:
    for number in range(3):
        broker.enqueue(message(number))
    with consuming(broker, prefetch=2) as first:
        held = take(first, 2)
    with consuming(broker, prefetch=2) as second:
        assert nothing_comes(second)
        second.ack(held[0])
        assert take(second, 1)[0].args == (2,)


def comes_soon(consumer: Consumer, action: Callable[[], object]) -> bool:
    """Whether `action` wakes a consumer that waits, well before the second after which it looks anyway."""
    assert next(consumer) is None
    began = time.monotonic()
    acting = threading.Timer(0.05, action)
    acting.start()
    consumer._timeout_seconds = 5.0
    found = next(consumer)
    acting.join()
    return found is not None and time.monotonic() - began < 0.6


def test_a_message_wakes_the_consumers_of_its_own_and_of_other_brokers(make: Any) -> None:
    first, second = make(), make()
    with consuming(first) as consumer:
        assert comes_soon(consumer, lambda: first.enqueue(message(1)))
    with consuming(first) as consumer:
        assert comes_soon(consumer, lambda: second.enqueue(message(2)))


def test_a_place_that_gets_free_wakes_the_consumer(broker: SqliteBroker) -> None:
    for number in range(2):
        broker.enqueue(message(number))
    with consuming(broker, prefetch=1) as consumer:
        (first,) = take(consumer, 1)
        assert comes_soon(consumer, lambda: consumer.ack(first))


def test_a_message_given_back_wakes_other_consumers(make: Any) -> None:
    first, second = make(), make()
    first.enqueue(message(1))
    with consuming(first, prefetch=1) as one, consuming(second) as two:
        (delivery,) = take(one, 1)
        assert comes_soon(two, lambda: one.requeue([delivery]))


def test_a_closed_consumer_gives_back_what_it_did_not_hand_out(make: Any) -> None:
    first, second = make(), make()
    for number in range(4):
        first.enqueue(message(number))
    with consuming(first, prefetch=4) as consumer:
        take(consumer, 1)
        with consuming(second) as other:
            assert nothing_comes(other)
    with consuming(second) as other:
        assert [delivery.args[0] for delivery in take(other, 3)] == [1, 2, 3]


def test_messages_given_back_do_not_count_as_delivered(make: Any) -> None:
    broker = make(limits=Limits(max_deliveries=2))
    broker.enqueue(message(1))
    for _ in range(5):
        with consuming(broker) as consumer:
            (delivery,) = take(consumer, 1)
            assert delivery.claim.deliveries == 1
            consumer.requeue([delivery])


def test_a_stale_owner_cannot_acknowledge_or_reject(broker: SqliteBroker) -> None:
    """It was taken for dead, and the message was delivered again, even to itself."""
    broker.enqueue(message(1))
    with consuming(broker) as consumer:
        (stale,) = take(consumer, 1)
        broker._open().rows.release(stale.claim.owner)
        (fresh,) = take(consumer, 1)
        consumer.ack(stale)
        consumer.nack(stale)
        consumer.requeue([stale])
        assert (broker.queue_size(QUEUE), broker.dead_letters()) == (1, [])
        assert nothing_comes(consumer)
        consumer.ack(fresh)
    assert broker.queue_size(QUEUE) == 0


def test_a_closed_broker_leaves_its_claims_to_the_others_at_once(make: Any) -> None:
    first, second = make(), make()
    first.enqueue(message(1))
    take(first.consume(QUEUE, 1, 50), 1)
    with consuming(second) as consumer:
        assert nothing_comes(consumer)
        first.close()
        (delivery,) = take(consumer, 1)
        assert delivery.claim.deliveries == 2
