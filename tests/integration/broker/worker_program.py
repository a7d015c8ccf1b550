"""A worker process for the crash tests: `python -m … ADDRESS LOG THREADS`; what its actors do is in the log, a line each."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

import dramatiq
from dramatiq.middleware import Retries

from broker.consumers import Consumers
from broker.redis import RedisBroker
from broker.sqlite import SqliteBroker

QUEUE = "doorbells"


def make(address: str) -> dramatiq.Broker:
    """A path, or the URL of a Redis."""
    made: dramatiq.Broker
    if "://" in address:
        made = RedisBroker(url=address, middleware=[Retries(max_retries=0)])
    else:
        made = SqliteBroker(Path(address), middleware=[Retries(max_retries=0)])
    made.declare_queue(QUEUE)
    return made


def declare_actors(broker: dramatiq.Broker, log: Path) -> None:
    def write(line: str) -> None:
        descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(descriptor, f"{line}\n".encode())
        os.close(descriptor)

    @dramatiq.actor(broker=broker, queue_name=QUEUE)
    def note(number: int) -> None:
        write(f"note {number}")

    @dramatiq.actor(broker=broker, queue_name=QUEUE)
    def hold(number: int) -> None:
        """Begin, and end when the log has a neighbour called `release`."""
        write(f"begin {number}")
        never = threading.Event()
        while not log.with_name("release").exists():
            never.wait(0.02)
        write(f"end {number}")

    @dramatiq.actor(broker=broker, queue_name=QUEUE)
    def die(number: int) -> None:
        write(f"die {number}")
        os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    address, log, threads = sys.argv[1:]
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    broker = make(address)
    declare_actors(broker, Path(log))
    worker = Consumers(broker, worker_threads=int(threads))
    worker.start()
    signal.sigwait({signal.SIGTERM})
    worker.stop(timeout=20_000)
    broker.close()


if __name__ == "__main__":
    main()
