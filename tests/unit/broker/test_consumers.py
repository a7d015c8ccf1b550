"""The worker threads' end: at once where there is nothing to do."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import dramatiq
import fakeredis
import pytest

from broker.consumers import Consumers
from tests.unit.broker import rigs
from tests.unit.broker.deliveries import PATIENCE, QUEUE, Recorder, Rig, message

#: Between two looks of an idle thread: longer than any test may take.
LOOK_MILLIS = 60_000


@pytest.fixture(params=["sqlite", "redis"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    is_sqlite = request.param == "sqlite"
    with rigs.sqlite_rig(tmp_path) if is_sqlite else rigs.redis_rig(fakeredis.FakeStrictRedis()) as made:
        yield made


def test_idle_threads_end_without_waiting_for_their_next_look(rig: Rig) -> None:
    recorder = Recorder(rig.broker)
    workers = Consumers(rig.broker, worker_timeout=LOOK_MILLIS, worker_threads=2)
    workers.start()
    rig.broker.enqueue(message("worked on"))
    recorder.has(1)
    began = time.monotonic()
    workers.stop(timeout=LOOK_MILLIS)
    assert time.monotonic() - began < PATIENCE
    assert not any(thread.is_alive() for thread in (*workers.workers, *workers.consumers.values()))


def test_a_thread_that_works_on_is_waited_for_no_longer_than_was_said(rig: Rig) -> None:
    begun, go_on = threading.Event(), threading.Event()

    @dramatiq.actor(broker=rig.broker, actor_name="slow", queue_name=QUEUE)
    def slow() -> None:
        begun.set()
        go_on.wait(PATIENCE * 3)

    workers = Consumers(rig.broker, worker_timeout=50, worker_threads=1)
    workers.start()
    rig.broker.enqueue(message(actor="slow"))
    assert begun.wait(PATIENCE)
    began = time.monotonic()
    workers.stop(timeout=200)
    assert time.monotonic() - began < PATIENCE
    go_on.set()
    workers.workers[0].join(PATIENCE)
