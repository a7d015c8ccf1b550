"""What every broker of ours does for Dramatiq, whatever it stores messages in; the test classes bring the broker."""

from __future__ import annotations

import threading
import time
from typing import Any

import dramatiq
import pytest
from dramatiq.errors import QueueJoinTimeout, QueueNotFound
from dramatiq.middleware import Middleware

from tests.unit.broker.deliveries import (
    PATIENCE,
    QUEUE,
    Recorder,
    Rig,
    consuming,
    message,
    nothing_comes,
    take,
    working,
)
from tests.waiting import wait_until


class BrokerContract:
    """Holds for every broker."""

    def test_messages_arrive_in_the_order_they_were_sent(self, rig: Rig) -> None:
        for number in range(20):
            rig.broker.enqueue(message(number))
        with consuming(rig.broker, prefetch=50) as consumer:
            assert [delivery.args for delivery in take(consumer, 20)] == [(number,) for number in range(20)]

    def test_a_message_arrives_as_it_was_sent(self, rig: Rig) -> None:
        sent = dramatiq.Message(
            QUEUE, "ring", (1, "Grüße \u2603"), {"deep": {"list": [None, True]}}, {"note": "n"}
        )
        rig.broker.enqueue(sent)
        with consuming(rig.broker) as consumer:
            (delivery,) = take(consumer, 1)
        assert (delivery.args, delivery.kwargs, delivery.actor_name) == (sent.args, sent.kwargs, "ring")
        assert (delivery.message_id, delivery.message_timestamp) == (sent.message_id, sent.message_timestamp)
        assert delivery.options["note"] == "n"
        assert "eta" not in delivery.options

    def test_an_undeclared_queue_cannot_be_enqueued_to(self, rig: Rig) -> None:
        with pytest.raises(QueueNotFound):
            rig.broker.enqueue(message(queue="nowhere"))

    def test_an_undeclared_queue_cannot_be_consumed(self, rig: Rig) -> None:
        with pytest.raises(QueueNotFound):
            rig.broker.consume("nowhere")

    def test_an_undeclared_queue_cannot_be_joined(self, rig: Rig) -> None:
        with pytest.raises(QueueNotFound):
            rig.broker.join("nowhere", timeout=10)

    def test_declaring_a_queue_again_changes_nothing(self, rig: Rig) -> None:
        declared: list[str] = []

        class Watch(Middleware):
            def after_declare_queue(self, broker: dramatiq.Broker, queue_name: str) -> None:
                declared.append(queue_name)

        rig.broker.add_middleware(Watch())
        declared.clear()
        rig.broker.enqueue(message(1))
        for _ in range(2):
            rig.broker.declare_queue(QUEUE)
            rig.broker.declare_queue("other")
        assert declared == ["other"]
        with consuming(rig.broker) as consumer:
            take(consumer, 1)

    def test_an_empty_queue_answers_with_nothing_in_time(self, rig: Rig) -> None:
        with consuming(rig.broker) as consumer:
            before = time.monotonic()
            assert next(consumer) is None
            assert time.monotonic() - before < 2

    def test_enqueue_tells_the_middleware_before_and_after(self, rig: Rig) -> None:
        told: list[tuple[str, str, int | None]] = []

        class Watch(Middleware):
            def before_enqueue(self, broker: Any, sent: Any, delay: int | None) -> None:
                told.append(("before", sent.message_id, delay))

            def after_enqueue(self, broker: Any, sent: Any, delay: int | None) -> None:
                told.append(("after", sent.message_id, delay))

        rig.broker.add_middleware(Watch())
        stored = rig.broker.enqueue(message(1), delay=7)
        assert told == [("before", stored.message_id, 7), ("after", stored.message_id, 7)]

    def test_the_same_message_id_can_be_enqueued_twice(self, rig: Rig) -> None:
        sent = message(1)
        rig.broker.enqueue(sent)
        rig.broker.enqueue(sent)
        with consuming(rig.broker) as consumer:
            deliveries = take(consumer, 2)
            assert {delivery.message_id for delivery in deliveries} == {sent.message_id}
            for delivery in deliveries:
                consumer.ack(delivery)
        rig.broker.join(QUEUE, timeout=1_000)

    def test_an_acknowledged_message_is_gone(self, rig: Rig) -> None:
        rig.broker.enqueue(message(1))
        with consuming(rig.broker) as consumer:
            consumer.ack(take(consumer, 1)[0])
            assert nothing_comes(consumer)
        rig.broker.join(QUEUE, timeout=1_000)
        assert rig.dead(QUEUE) == []

    def test_a_rejected_message_is_a_dead_letter(self, rig: Rig) -> None:
        sent = rig.broker.enqueue(message(1))
        with consuming(rig.broker) as consumer:
            consumer.nack(take(consumer, 1)[0])
            assert nothing_comes(consumer)
        rig.broker.join(QUEUE, timeout=1_000)
        assert rig.dead(QUEUE) == [sent.message_id]

    def test_no_more_than_the_prefetch_is_handed_out(self, rig: Rig) -> None:
        for number in range(5):
            rig.broker.enqueue(message(number))
        with consuming(rig.broker, prefetch=2) as consumer:
            first, _ = take(consumer, 2)
            assert nothing_comes(consumer)
            consumer.ack(first)
            assert take(consumer, 1)[0].args == (2,)
            assert nothing_comes(consumer)

    def test_a_rejection_frees_its_place_too(self, rig: Rig) -> None:
        for number in range(2):
            rig.broker.enqueue(message(number))
        with consuming(rig.broker, prefetch=1) as consumer:
            consumer.nack(take(consumer, 1)[0])
            assert take(consumer, 1)[0].args == (1,)

    def test_join_gives_up_while_a_message_is_in_work(self, rig: Rig) -> None:
        rig.broker.enqueue(message(1))
        with consuming(rig.broker) as consumer:
            (delivery,) = take(consumer, 1)
            with pytest.raises(QueueJoinTimeout):
                rig.broker.join(QUEUE, timeout=60)
            consumer.ack(delivery)
            rig.broker.join(QUEUE, timeout=1_000)

    def test_join_gives_up_while_a_message_is_delayed(self, rig: Rig) -> None:
        rig.broker.enqueue(message(1), delay=60_000)
        with pytest.raises(QueueJoinTimeout):
            rig.broker.join(QUEUE, timeout=60)

    def test_a_flushed_queue_is_empty_and_goes_on(self, rig: Rig) -> None:
        rig.broker.declare_queue("other")
        for number in range(3):
            rig.broker.enqueue(message(number))
        rig.broker.enqueue(message("kept", queue="other"))
        rig.broker.flush(QUEUE)
        rig.broker.join(QUEUE, timeout=1_000)
        rig.broker.enqueue(message("new"))
        with consuming(rig.broker) as consumer, consuming(rig.broker, "other") as other:
            assert take(consumer, 1)[0].args == ("new",)
            assert take(other, 1)[0].args == ("kept",)

    def test_flush_all_empties_every_queue(self, rig: Rig) -> None:
        rig.broker.declare_queue("other")
        rig.broker.enqueue(message(1))
        rig.broker.enqueue(message(2, queue="other"))
        rig.broker.flush_all()
        for queue in (QUEUE, "other"):
            rig.broker.join(queue, timeout=1_000)

    def test_a_worker_calls_the_actor(self, rig: Rig) -> None:
        recorder = Recorder(rig.broker)
        with working(rig.broker):
            recorder.actor.send("hello")
            rig.broker.join(QUEUE, timeout=10_000)
        assert recorder.seen == ["hello"]

    def test_a_worker_finds_what_was_sent_before_it_started(self, rig: Rig) -> None:
        recorder = Recorder(rig.broker)
        recorder.actor.send("early")
        with working(rig.broker):
            assert recorder.has(1)

    def test_a_delayed_message_waits_and_then_comes(self, rig: Rig) -> None:
        recorder = Recorder(rig.broker)
        with working(rig.broker):
            before = time.time()
            recorder.actor.send_with_options(args=("later",), delay=300)
            recorder.actor.send("now")
            assert recorder.has(2)
            assert time.time() - before >= 0.299
        assert recorder.seen == ["now", "later"]

    def test_a_delay_of_zero_is_no_delay(self, rig: Rig) -> None:
        recorder = Recorder(rig.broker)
        with working(rig.broker):
            recorder.actor.send_with_options(args=("at once",), delay=0)
            assert recorder.has(1)

    def test_an_actor_that_fails_leaves_a_dead_letter_and_the_worker_goes_on(self, rig: Rig) -> None:
        @dramatiq.actor(broker=rig.broker, queue_name=QUEUE, max_retries=0, throws=ValueError)
        def break_down() -> None:
            raise ValueError("on purpose")

        recorder = Recorder(rig.broker)
        with working(rig.broker, threads=1):
            sent = break_down.send()
            recorder.actor.send("after")
            assert recorder.has(1)
            wait_until(lambda: rig.dead(QUEUE) == [sent.message_id], what="the dead letter")

    def test_a_message_for_an_unknown_actor_is_a_dead_letter(self, rig: Rig) -> None:
        recorder = Recorder(rig.broker)
        with working(rig.broker):
            sent = rig.broker.enqueue(message(1, actor="unheard of"))
            recorder.actor.send("after")
            assert recorder.has(1)
            wait_until(lambda: rig.dead(QUEUE) == [sent.message_id], what="the dead letter")

    def test_a_queue_declared_while_the_worker_runs_is_consumed(self, rig: Rig) -> None:
        recorder = Recorder(rig.broker)
        with working(rig.broker):
            rig.broker.declare_queue("control.abc")
            rig.broker.enqueue(message("directed", queue="control.abc"))
            assert recorder.has(1)

    def test_an_actor_may_send_messages(self, rig: Rig) -> None:
        recorder = Recorder(rig.broker, queue="second")

        @dramatiq.actor(broker=rig.broker, queue_name=QUEUE)
        def pass_on(value: str) -> None:
            recorder.actor.send(value)

        with working(rig.broker, threads=1):
            pass_on.send("passed on")
            assert recorder.has(1)

    def test_many_producers_lose_and_double_nothing(self, rig: Rig) -> None:
        recorder = Recorder(rig.broker)

        def produce(producer: int) -> None:
            for number in range(25):
                recorder.actor.send([producer, number])

        producers = [threading.Thread(target=produce, args=(producer,)) for producer in range(4)]
        with working(rig.broker, threads=4):
            for thread in producers:
                thread.start()
            for thread in producers:
                thread.join()
            rig.broker.join(QUEUE, timeout=30_000)
        assert sorted(recorder.seen) == [[producer, number] for producer in range(4) for number in range(25)]


class StoredBrokerContract(BrokerContract):
    """Holds where messages are stored outside of the process."""

    def test_what_one_broker_sends_another_receives(self, rig: Rig) -> None:
        assert rig.again is not None
        other = rig.again()
        other.declare_queue(QUEUE)
        sent = other.enqueue(message(1))
        with consuming(rig.broker) as consumer:
            assert take(consumer, 1)[0].message_id == sent.message_id

    def test_two_brokers_never_receive_the_same_message(self, rig: Rig) -> None:
        assert rig.again is not None
        other = rig.again()
        other.declare_queue(QUEUE)
        for number in range(10):
            rig.broker.enqueue(message(number))
        with consuming(rig.broker, prefetch=4) as one, consuming(other, prefetch=20) as two:
            taken = [*take(one, 4), *take(two, 6)]
            assert sorted(delivery.args[0] for delivery in taken) == list(range(10))

    def test_a_requeued_message_comes_again(self, rig: Rig) -> None:
        rig.broker.enqueue(message(1))
        with consuming(rig.broker) as consumer:
            consumer.requeue(take(consumer, 1))
        with consuming(rig.broker) as consumer:
            (delivery,) = take(consumer, 1)
            consumer.ack(delivery)
        rig.broker.join(QUEUE, timeout=1_000)

    def test_requeueing_nothing_changes_nothing(self, rig: Rig) -> None:
        with consuming(rig.broker) as consumer:
            consumer.requeue([])
        assert rig.broker.queue_size(QUEUE) == 0

    def test_a_worker_that_stops_gives_back_what_it_fetched(self, rig: Rig) -> None:
        begun, go_on = threading.Event(), threading.Event()

        @dramatiq.actor(broker=rig.broker, queue_name=QUEUE, actor_name="hold")
        def hold(number: int) -> None:
            begun.set()
            assert go_on.wait(PATIENCE)

        for number in range(6):
            hold.send(number)
        with working(rig.broker, threads=1):
            assert begun.wait(PATIENCE)
            threading.Timer(0.1, go_on.set).start()
        assert rig.again is not None
        other = rig.again()
        other.declare_queue(QUEUE)
        left = rig.broker.queue_size(QUEUE)
        assert 1 <= left <= 5
        with consuming(other, prefetch=10) as consumer:
            assert len(take(consumer, left)) == left

    def test_a_body_that_cannot_be_decoded_is_a_dead_letter_and_the_next_arrives(self, rig: Rig) -> None:
        assert rig.spoil is not None
        rig.spoil(QUEUE)
        rig.broker.enqueue(message("good"))
        with consuming(rig.broker) as consumer:
            (delivery,) = take(consumer, 1)
            assert delivery.args == ("good",)
            consumer.ack(delivery)
        rig.broker.join(QUEUE, timeout=1_000)
        assert len(rig.dead(QUEUE)) == 1

    def test_the_size_counts_waiting_delayed_and_claimed_messages(self, rig: Rig) -> None:
        rig.broker.enqueue(message(1))
        with consuming(rig.broker, prefetch=1) as consumer:
            take(consumer, 1)
            rig.broker.enqueue(message(2))
            rig.broker.enqueue(message(3), delay=60_000)
            assert rig.broker.queue_size(QUEUE) >= 3

    def test_the_brokers_cap_holds_whatever_the_worker_asks_for(self, rig: Rig) -> None:
        """The rig caps the queue `few` at 2."""
        rig.broker.declare_queue("few")
        for number in range(5):
            rig.broker.enqueue(message(number, queue="few"))
        with consuming(rig.broker, "few", prefetch=100) as consumer:
            take(consumer, 2)
            assert nothing_comes(consumer)
