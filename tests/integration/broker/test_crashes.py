"""Workers that are killed, stopped and forked, in real processes."""

from __future__ import annotations

import os
import signal
import sqlite3
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from broker.sqlite import SqliteBroker
from broker.wakeup import Wakeup
from tests.integration.broker.conftest import Place
from tests.integration.broker.worker_program import QUEUE, declare_actors, make
from tests.unit.broker.deliveries import consuming, message, take
from tests.waiting import wait_until

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


@pytest.fixture
def broker(place: Place) -> Iterator[SqliteBroker]:
    broker = make(str(place.file))
    assert isinstance(broker, SqliteBroker)
    yield broker
    broker.close()


def ring(broker: SqliteBroker, actor: str, number: int, delay: int | None = None) -> None:
    broker.enqueue(message(number, actor=actor, queue=QUEUE), delay=delay)


def one_in_work_one_fetched_one_delayed(broker: SqliteBroker, place: Place) -> None:
    ring(broker, "hold", 1)
    ring(broker, "note", 2)
    ring(broker, "note", 3, delay=200)
    wait_until(place.says("begin 1"), what="the first message to be in work")
    wait_until(lambda: claimed(place) == 2, what="the second to be fetched")


def claimed(place: Place) -> int:
    with closing(sqlite3.connect(place.file)) as file:
        return int(file.execute("SELECT count(*) FROM message WHERE owner IS NOT NULL").fetchone()[0])


def test_all_of_a_killed_workers_messages_come_back_to_the_next(broker: SqliteBroker, place: Place) -> None:
    first = place.start()
    one_in_work_one_fetched_one_delayed(broker, place)
    first.kill()
    first.wait()
    place.release()
    place.start()
    wait_until(place.says("end 1", "note 2", "note 3"), what="all three messages")
    broker.join(QUEUE, timeout=5_000)
    assert sorted(place.lines()) == ["begin 1", "begin 1", "end 1", "note 2", "note 3"]


def test_a_surviving_worker_takes_over_within_seconds(broker: SqliteBroker, place: Place) -> None:
    first = place.start()
    one_in_work_one_fetched_one_delayed(broker, place)
    place.start()
    wait_until(place.says("note 3"), what="the second worker to work")
    first.kill()
    first.wait()
    place.release()
    before = time.monotonic()
    wait_until(place.says("end 1", "note 2"), what="the killed worker's messages")
    assert time.monotonic() - before < 5


def test_a_killed_idle_worker_leaves_no_lock_and_no_socket_for_long(
    broker: SqliteBroker, place: Place
) -> None:
    folder = place.folder / "broker.sqlite3.run"
    first = place.start()
    ring(broker, "note", 1)
    wait_until(place.says("note 1"), what="the first worker to work")
    broker.join(QUEUE, timeout=5_000)
    left = set(os.listdir(folder))
    assert {name.rpartition(".")[2] for name in left} == {"lock", "sock"}
    first.kill()
    first.wait()
    place.start()
    ring(broker, "note", 2)
    wait_until(place.says("note 2"), what="the next worker")
    ring(broker, "note", 3)
    wait_until(lambda: not left & set(os.listdir(folder)), what="the dead one's files to go")


def test_a_message_that_kills_its_worker_each_time_ends_as_a_dead_letter(
    broker: SqliteBroker, place: Place
) -> None:
    ring(broker, "die", 1)
    for _ in range(5):
        assert place.start().wait(20) == -signal.SIGKILL
    place.start()
    ring(broker, "note", 2)
    wait_until(place.says("note 2"), what="the sixth worker to work")
    (letter,) = broker.dead_letters()
    assert (letter.actor, place.lines().count("die 1")) == ("die", 5)
    assert "Delivered 5 times" in letter.reason


def test_a_stopped_worker_gives_back_what_it_fetched_uncounted(broker: SqliteBroker, place: Place) -> None:
    first = place.start()
    one_in_work_one_fetched_one_delayed(broker, place)
    first.terminate()
    place.release()
    assert first.wait(20) == 0
    assert "note 2" not in place.lines()
    with consuming(broker) as consumer:
        deliveries = take(consumer, 2)
        assert [(one.args[0], one.claim.deliveries) for one in deliveries] == [(2, 1), (3, 1)]


def test_two_producers_and_two_workers_lose_and_double_nothing(broker: SqliteBroker, place: Place) -> None:
    """Each message is noted once, though both workers claim from the same queue at full speed."""
    other = make(str(place.file))
    assert isinstance(other, SqliteBroker)
    producers = [
        threading.Thread(
            target=lambda who, first: [ring(who, "note", first + n) for n in range(200)], args=args
        )
        for args in ((broker, 0), (other, 200))
    ]
    for _ in range(2):
        place.start(threads=4)
    for producer in producers:
        producer.start()
    for producer in producers:
        producer.join()
    broker.join(QUEUE, timeout=30_000)
    other.close()
    assert sorted(place.lines()) == sorted(f"note {number}" for number in range(400))
    assert broker.dead_letters() == []


def test_parent_and_forked_child_use_the_queue_at_once(broker: SqliteBroker, place: Place) -> None:
    with consuming(broker) as consumer:  # the parent has a connection, a lock, a listener and a thread
        ring(broker, "note", 0)
        (parents,) = take(consumer, 1)
        consumer.ack(parents)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                for number in range(100):
                    ring(broker, "note", number)
                with consuming(broker, prefetch=1) as own:
                    (child_message,) = take(own, 1)
                    assert child_message.claim.owner != parents.claim.owner
                    own.ack(child_message)
                broker.close()
                status = 0
            finally:
                os._exit(status)
        for number in range(100, 200):
            ring(broker, "note", number)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert broker.queue_size(QUEUE) == 199
        take(consumer, 1)
    with closing(sqlite3.connect(place.file)) as file:
        assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_child_forked_in_the_middle_of_a_transaction_is_not_held_up_by_it(
    broker: SqliteBroker, place: Place
) -> None:
    """As when another thread of the parent is at work: in the child nobody would ever end it."""
    ring(broker, "note", 1)
    with broker._open()._file.reading():
        child = os.fork()
        if child == 0:
            status = 1
            try:
                ring(broker, "note", 2)
                status = 0
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert broker.queue_size(QUEUE) == 2


def test_a_forked_child_does_not_take_its_living_parents_messages(broker: SqliteBroker, place: Place) -> None:
    """The child inherited the descriptor of the lock file, but not the lock."""
    ring(broker, "note", 1)
    parents = broker.consume(QUEUE, 1, 50)
    take(parents, 1)
    child = os.fork()
    if child == 0:
        own = broker.consume(QUEUE, 1, 50)
        os._exit(0 if all(next(own) is None for _ in range(30)) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert broker.queue_size(QUEUE) == 1
    parents.close()


@pytest.mark.parametrize("obstacle", ["none", "not private"])
def test_messages_arrive_soon_with_datagrams_and_with_polling(
    broker: SqliteBroker, place: Place, obstacle: str
) -> None:
    """Well under the one second after which a consumer looks without a wake-up."""
    folder = place.folder / "broker.sqlite3.run"
    if obstacle == "not private":
        folder.mkdir()
        folder.chmod(0o755)
    place.start()
    ring(broker, "note", 0)
    wait_until(place.says("note 0"), what="the worker to work")
    took = []
    for number in range(1, 8):
        before = time.monotonic()
        ring(broker, "note", number)
        wait_until(place.says(f"note {number}"), every=0.002)
        took.append(time.monotonic() - before)
    assert statistics.median(took) < 0.25
    sockets = [name for name in os.listdir(folder) if name.endswith(".sock")]
    assert len(sockets) == (1 if obstacle == "none" else 0)


def test_a_listener_hears_another_process(place: Place) -> None:
    bell = Wakeup(place.folder / "bell")
    with closing(bell.listener()) as listener:
        child = os.fork()
        if child == 0:
            Wakeup(place.folder / "bell").notify()
            os._exit(0)
        assert listener.wait(10)
        os.waitpid(child, 0)


@pytest.mark.redis
@pytest.mark.slow
def test_redis_too_delivers_a_killed_workers_messages_again(redis_url: str, place: Place) -> None:
    """Nothing depends on it: the store's sweep rings again."""
    broker = make(redis_url)
    declare_actors(broker, place.log)
    first = place.start(address=redis_url)
    broker.enqueue(message(1, actor="hold", queue=QUEUE))
    wait_until(place.says("begin 1"), what="the message to be in work")
    broker.enqueue(message(2, actor="note", queue=QUEUE))
    first.kill()
    first.wait()
    place.release()
    place.start(address=redis_url)
    wait_until(place.says("end 1", "note 2"), 40, what="both messages")
    broker.close()
