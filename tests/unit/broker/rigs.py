"""The brokers that the contract is tried on."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import redis
from dramatiq.brokers.stub import StubBroker

from broker.redis import NAMESPACE, RedisBroker
from broker.sqlite import SqliteBroker
from tests.unit.broker.deliveries import QUEUE, Rig, middleware

CAPS = {"few": 2}


def stub_rig() -> Rig:
    broker = StubBroker(middleware(), fail_fast_default=False)
    broker.declare_queue(QUEUE)
    return Rig(broker, lambda queue: [letter.message_id for letter in broker.dead_letters_by_queue[queue]])


@contextmanager
def sqlite_rig(folder: Path) -> Iterator[Rig]:
    made: list[SqliteBroker] = []

    def make() -> SqliteBroker:
        made.append(SqliteBroker(folder / "broker.sqlite3", middleware=middleware(), prefetch=CAPS))
        return made[-1]

    broker = make()
    broker.declare_queue(QUEUE)

    def spoil(queue: str) -> None:
        with closing(sqlite3.connect(broker.path)) as file, file:
            file.execute(
                "INSERT INTO message(message_id, queue, actor, priority, enqueued_at, due_at, body)"
                " VALUES ('spoilt', ?, 'ring', 0, unixepoch(), 0, x'00ff')",
                (queue,),
            )

    broker.queue_size(QUEUE)
    try:
        yield Rig(broker, lambda queue: [dead.message_id for dead in broker.dead_letters(queue)], make, spoil)
    finally:
        for one in made:
            one.close()


@contextmanager
def redis_rig(client: redis.Redis) -> Iterator[Rig]:
    def make() -> RedisBroker:
        return RedisBroker(client=client, middleware=middleware(), prefetch=CAPS)

    broker = make()
    broker.declare_queue(QUEUE)

    def dead(queue: str) -> list[str]:
        bodies = client.hgetall(f"{NAMESPACE}:{queue}.XQ.msgs")
        return [json.loads(body)["message_id"] if body[:1] == b"{" else "spoilt" for body in bodies.values()]

    def spoil(queue: str) -> None:
        broker.do_enqueue(queue, str(uuid.uuid4()), b"\x00\xff")

    try:
        yield Rig(broker, dead, make, spoil)
    finally:
        broker.close()
