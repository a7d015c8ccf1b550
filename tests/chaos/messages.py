"""What a broker may do to messages: lose all of them, or bring each again, late and out of order."""

from __future__ import annotations

import random
import sqlite3
import threading
from contextlib import closing, suppress

import dramatiq

import broker
from broker import messages
from shared.commands import STEERING
from shared.config import from_env
from tests.chaos.world import World


def lose(world: World) -> None:
    """Empty the broker: what waited in it is gone."""
    installation = world.installation
    if installation.broker == "sqlite":
        path = installation.data / "broker.sqlite3"
        with suppress(sqlite3.OperationalError), closing(sqlite3.connect(path, timeout=10)) as connection:
            connection.execute("DELETE FROM message")
            connection.commit()
        return
    import redis

    with redis.Redis.from_url(installation.broker) as client:
        client.flushall()


def bring_again(world: World, chance: random.Random, newest: int = 1000) -> int:
    """Send the `newest` messages of each kind three more times, shuffled; returns how many were sent."""
    sql = "SELECT id FROM attempt ORDER BY queued_at DESC LIMIT ?"
    found = [messages.start(row["id"]) for row in world.query(sql, newest)]
    for row in world.query(
        "SELECT c.id, c.kind, a.worker FROM command c LEFT JOIN attempt a ON a.id = c.attempt"
        " ORDER BY c.accepted_at DESC LIMIT ?",
        newest,
    ):
        if row["kind"] in STEERING:
            found += [messages.deliver(row["id"], row["worker"]), messages.deliver(row["id"])]
        else:
            found.append(messages.work(row["id"]))
    sent = [message.copy() for message in found * 3]
    chance.shuffle(sent)
    carrier = broker.make(from_env(world.installation.environment))
    try:
        for message in sent:
            _enqueue(carrier, message)
    finally:
        carrier.close()
    return len(sent)


def repeat(world: World, over: threading.Event) -> int:
    """Bring messages again until `over`; returns how many were sent."""
    sent = 0
    while not over.wait(0.05):
        sent += bring_again(world, random.Random(sent))
    return sent


def _enqueue(carrier: dramatiq.Broker, message: dramatiq.Message[None]) -> None:
    carrier.declare_queue(message.queue_name)
    carrier.enqueue(message)
