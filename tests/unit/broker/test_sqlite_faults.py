"""The SQLite broker when owners die, bounds are reached, and its file is broken, locked or gone."""

from __future__ import annotations

import shutil
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import dramatiq
import pytest
from dramatiq.errors import BrokerError, ConnectionClosed

from broker.rows import Limits
from broker.sqlite import SqliteBroker
from tests.unit.broker.deliveries import (
    QUEUE,
    Recorder,
    consuming,
    message,
    nothing_comes,
    take,
    working,
)
from tests.waiting import wait_until


def test_a_message_whose_owner_dies_each_time_is_a_dead_letter(make: Any) -> None:
    broker = make()
    sent = broker.enqueue(message(1))
    for _ in range(3):
        doomed = make(limits=Limits(max_deliveries=3))
        take(doomed.consume(QUEUE, 1, 50), 1)
        doomed.close()
    survivor = make(limits=Limits(max_deliveries=3))
    with consuming(survivor) as consumer:
        assert nothing_comes(consumer)
    (letter,) = survivor.dead_letters(QUEUE)
    assert letter.message_id == sent.message_id
    assert "Delivered 3 times" in letter.reason


def test_a_dead_letter_says_why_and_when(broker: SqliteBroker) -> None:
    broker.enqueue(message(1))
    with consuming(broker) as consumer:
        (delivery,) = take(consumer, 1)
        delivery.stuff_exception(ValueError("no such task " + "x" * 5000))
        consumer.nack(delivery)
    (letter,) = broker.dead_letters()
    assert letter.reason.startswith("ValueError: no such task x")
    assert len(letter.reason) <= 2000
    assert abs(letter.dead_at.timestamp() - time.time()) < 60
    assert dramatiq.Message.decode(letter.body).args == (1,)


def test_dead_letters_are_bounded_in_number(make: Any) -> None:
    broker = make(limits=Limits(max_dead_letters=3))
    for number in range(6):
        broker.enqueue(message(number))
    with consuming(broker) as consumer:
        for delivery in take(consumer, 6):
            consumer.nack(delivery)
    with consuming(make(limits=Limits(max_dead_letters=3))) as consumer:
        assert nothing_comes(consumer)
    kept = [dramatiq.Message.decode(letter.body).args[0] for letter in broker.dead_letters()]
    assert kept == [5, 4, 3]


def test_dead_letters_are_bounded_in_age(make: Any) -> None:
    broker = make()
    broker.enqueue(message(1))
    with consuming(broker) as consumer:
        consumer.nack(take(consumer, 1)[0])
    pruning = make(limits=Limits(dead_letter_seconds=0))
    with consuming(pruning) as consumer:
        assert nothing_comes(consumer)
    assert broker.dead_letters() == []


def test_a_message_nobody_takes_becomes_a_dead_letter(make: Any) -> None:
    broker = make()
    broker.declare_queue("control.gone")
    broker.enqueue(message(1, queue="control.gone"))
    broker.enqueue(message(2, queue="control.gone"), delay=60_000)
    with consuming(make(limits=Limits(waiting_seconds=0))) as consumer:
        assert nothing_comes(consumer)
    (letter,) = broker.dead_letters("control.gone")
    assert "Nobody took it" in letter.reason
    assert broker.queue_size("control.gone") == 1, "the delayed one is not late yet"


def test_waiting_messages_are_bounded_in_number_and_the_oldest_go(make: Any) -> None:
    broker = make()
    for number in range(5):
        broker.enqueue(message(number))
    with consuming(make(limits=Limits(max_messages=2))) as consumer:
        assert [delivery.args[0] for delivery in take(consumer, 2)] == [3, 4]
        assert nothing_comes(consumer)
    assert {letter.reason for letter in broker.dead_letters()} == {"More than 2 messages waited."}


def test_a_broken_file_is_a_broker_error(make: Any, tmp_path: Path) -> None:
    (tmp_path / "broker.sqlite3").write_bytes(b"this is no database at all" * 100)
    with pytest.raises(ConnectionClosed, match="cannot be used"):
        make().enqueue(message(1))


def test_a_missing_folder_is_a_broker_error(tmp_path: Path) -> None:
    broker = SqliteBroker(tmp_path / "absent" / "broker.sqlite3")
    broker.declare_queue(QUEUE)
    with pytest.raises(BrokerError):
        broker.enqueue(message(1))


def test_a_file_of_another_version_is_refused_with_advice(broker: SqliteBroker, make: Any) -> None:
    broker.enqueue(message(1))
    with closing(sqlite3.connect(broker.path)) as file:
        file.execute("PRAGMA user_version = 99")
    with pytest.raises(ConnectionClosed, match="delete it"):
        make().enqueue(message(2))


def test_enqueue_fails_in_bounded_time_while_another_process_writes(make: Any) -> None:
    broker = make(busy_timeout_seconds=0.1)
    broker.enqueue(message(1))
    with closing(sqlite3.connect(broker.path, isolation_level=None)) as file:
        file.execute("BEGIN IMMEDIATE")
        before = time.monotonic()
        with pytest.raises(ConnectionClosed, match="locked"):
            broker.enqueue(message(2))
        assert time.monotonic() - before < 2
        file.execute("ROLLBACK")
    broker.enqueue(message(3))
    assert broker.queue_size(QUEUE) == 2


def test_an_acknowledgement_on_a_locked_file_can_be_repeated(make: Any) -> None:
    broker = make(busy_timeout_seconds=0.05)
    broker.enqueue(message(1))
    with consuming(broker) as consumer:
        (delivery,) = take(consumer, 1)
        with closing(sqlite3.connect(broker.path, isolation_level=None)) as file:
            file.execute("BEGIN IMMEDIATE")
            with pytest.raises(ConnectionClosed):
                consumer.ack(delivery)
            file.execute("ROLLBACK")
        consumer.ack(delivery)
    assert broker.queue_size(QUEUE) == 0


def test_the_next_consumer_has_what_the_last_could_not_give_back(make: Any) -> None:
    broker = make(busy_timeout_seconds=0.05)
    for number in range(3):
        broker.enqueue(message(number))
    first = broker.consume(QUEUE, 3, 50)
    take(first, 1)
    with closing(sqlite3.connect(broker.path, isolation_level=None)) as file:
        file.execute("BEGIN IMMEDIATE")
        with pytest.raises(ConnectionClosed):
            first.close()
        file.execute("ROLLBACK")
    with consuming(broker, prefetch=3) as second:
        assert [delivery.args[0] for delivery in take(second, 2)] == [1, 2]


def test_the_file_may_be_removed_while_a_worker_runs(broker: SqliteBroker, make: Any) -> None:
    recorder = Recorder(broker)
    with working(broker):
        recorder.actor.send(1)
        assert recorder.has(1)
        for name in ("broker.sqlite3", "broker.sqlite3-wal", "broker.sqlite3-shm"):
            (broker.path.parent / name).unlink(missing_ok=True)
        make().enqueue(message(2))
        assert recorder.has(2)
        recorder.actor.send(3)
        assert recorder.has(3)


def test_the_runtime_folder_may_be_removed_while_a_worker_runs(short_dir: Path) -> None:
    folder = short_dir / "queue.run"
    with (
        closing(SqliteBroker(short_dir / "queue")) as broker,
        closing(SqliteBroker(short_dir / "queue")) as other,
    ):
        other.declare_queue(QUEUE)
        recorder = Recorder(broker)
        with working(broker):
            recorder.actor.send(1)
            assert recorder.has(1)
            shutil.rmtree(folder)
            wait_until(
                lambda: {path.suffix for path in folder.glob("*")} == {".lock", ".sock"},
                what="the lock and the socket to be made again",
            )
            other.enqueue(message(2))
            assert recorder.has(2)


def test_a_closed_broker_says_so_and_close_may_be_repeated(make: Any) -> None:
    broker = make()
    broker.enqueue(message(1))
    broker.close()
    broker.close()
    with pytest.raises(ConnectionClosed, match="closed"):
        broker.enqueue(message(2))


def test_a_closed_broker_leaves_no_file_but_the_queue(make: Any, tmp_path: Path) -> None:
    broker = make()
    recorder = Recorder(broker)
    with working(broker):
        recorder.actor.send(1)
        assert recorder.has(1)
    broker.close()
    assert [path.name for path in tmp_path.rglob("*") if path.is_file() or path.is_socket()] == [
        "broker.sqlite3"
    ]


def test_all_consumers_may_start_at_once(make: Any) -> None:
    broker = make()
    queues = [f"queue{number}" for number in range(8)]
    for queue in queues:
        broker.declare_queue(queue)
        broker.enqueue(message(queue, queue=queue))
    before = threading.active_count()
    recorder = Recorder(broker)
    with working(broker, threads=1):
        assert recorder.has(8)
        wakers = [thread for thread in threading.enumerate() if thread.name == "broker-wakeup"]
        assert len(wakers) == 1
    broker.close()
    wait_until(lambda: threading.active_count() == before, what="all threads to end")


def test_an_unknown_durability_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="synchronous"):
        SqliteBroker(tmp_path / "q", synchronous="SOMETIMES; DROP")
