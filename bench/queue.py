"""How fast the broker carries messages, beside Dramatiq on a real redis-server in the same run."""

from __future__ import annotations

import math
import multiprocessing
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import dramatiq
import psutil
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import Retries

from broker.sqlite import SqliteBroker

THROUGHPUT_MESSAGES = 1200
THROUGHPUT_RUNS = 5
PROCESSES = (1, 2, 4)
LATENCY_MESSAGES = 600
LATENCY_INTERVAL_SECONDS = 0.015
IDLE_SECONDS = 8.0
THREADS = 8
QUEUE = "bench"
IDLE_QUEUES = (QUEUE, "control", "control.bench")
REDIS_TIMEOUT_MILLISECONDS = 50
"""Dramatiq's default of 1000 would make the yardstick's latency needlessly bad."""
MIN_RATIO = 0.5
MAX_P50_MILLISECONDS = 10.0
MAX_P99_MILLISECONDS = 50.0
MAX_IDLE_PERCENT = 0.5

Row = dict[str, Any]
spawn = multiprocessing.get_context("spawn")


def measure() -> list[Row]:
    """One row per figure: name, value, unit, yardstick (None without redis-server), ratio, bar, ok."""
    with tempfile.TemporaryDirectory(prefix="or-bench-") as folder, redis_server() as redis:
        ours = str(Path(folder, "broker.sqlite3"))
        return [*throughput(ours, redis), *latency(ours, redis), idle(ours, redis)]


def throughput(ours: str, redis: str | None) -> Iterator[Row]:
    """Messages per second, from the first enqueue to the last acknowledgement; the brokers take turns."""
    for processes in PROCESSES:
        rates: dict[str, list[float]] = {address: [] for address in (ours, redis) if address}
        for _ in range(THROUGHPUT_RUNS):
            for address, found in rates.items():
                found.append(one_rate(address, processes))
        value = statistics.median(rates[ours])
        beside = statistics.median(rates[redis]) if redis else None
        yield {
            "name": f"queue throughput, {processes} process{'es' if processes > 1 else ''}",
            "value": round(value),
            "unit": "messages/s",
            "yardstick": beside and round(beside),
            "ratio": beside and round(value / beside, 2),
            "bar": f">= {MIN_RATIO} x redis",
            "ok": beside is None or value / beside >= MIN_RATIO,
        }


def latency(ours: str, redis: str | None) -> Iterator[Row]:
    """Milliseconds from before `send` in one process to the actor's first line in another."""
    found = sorted(delays(ours))
    beside = sorted(delays(redis)) if redis else None
    for quantile, bar in ((0.5, MAX_P50_MILLISECONDS), (0.99, MAX_P99_MILLISECONDS)):
        value = at(found, quantile)
        yardstick = at(beside, quantile) if beside else None
        yield {
            "name": f"queue latency p{quantile * 100:g}",
            "value": round(value, 2),
            "unit": "ms",
            "yardstick": yardstick and round(yardstick, 2),
            "ratio": yardstick and round(value / yardstick, 2),
            "bar": f"<= {bar:g} ms",
            "ok": value <= bar,
        }


def idle(ours: str, redis: str | None) -> Row:
    """Percent of a core that a process with three queues and eight threads takes while nothing happens."""
    value = idle_percent(ours)
    yardstick = idle_percent(redis) if redis else None
    return {
        "name": "queue idle process",
        "value": round(value, 2),
        "unit": "% of a core",
        "yardstick": yardstick and round(yardstick, 2),
        "ratio": yardstick and round(value / yardstick, 2),
        "bar": f"<= {MAX_IDLE_PERCENT} %",
        "ok": value <= MAX_IDLE_PERCENT,
    }


def one_rate(address: str, processes: int) -> float:
    """`processes` processes, each of which sends its share and works."""
    with workers(address, processes) as pipes:
        broker = make(address)
        before = time.monotonic()
        for pipe in pipes:
            pipe.send(THROUGHPUT_MESSAGES // processes)
        sent = sum(pipe.recv() for pipe in pipes)
        broker.join(QUEUE, timeout=60_000)
        took = time.monotonic() - before
        broker.close()
        for pipe in pipes:
            pipe.send(None)
        received = sum(len(pipe.recv()) for pipe in pipes)
    if received != sent:
        raise AssertionError(f"{sent} messages were sent and {received} received")
    return float(sent / took)


def delays(address: str) -> list[float]:
    """Milliseconds each of LATENCY_MESSAGES messages took, with pauses between them."""
    with workers(address, 1) as (pipe,):
        broker = make(address)
        ring = declare_actor(broker, [])
        ring.send(time.monotonic())  # connects
        for _ in range(LATENCY_MESSAGES):
            time.sleep(LATENCY_INTERVAL_SECONDS)
            ring.send(time.monotonic())
        broker.join(QUEUE, timeout=60_000)
        broker.close()
        pipe.send(None)
        found: list[float] = pipe.recv()
    return found[1:]


def idle_percent(address: str) -> float:
    """Of one core, in a process that has worked and waits."""
    with workers(address, 1) as (pipe,):
        pipe.send(10)
        pipe.recv()
        time.sleep(1.0)
        process = psutil.Process(spawned()[0])
        before, began = process.cpu_times(), time.monotonic()
        time.sleep(IDLE_SECONDS)
        after, took = process.cpu_times(), time.monotonic() - began
    return 100 * (after.user + after.system - before.user - before.system) / took


def spawned() -> list[int]:
    """Pids of the worker processes."""
    return [child.pid for child in multiprocessing.active_children() if child.pid]


@contextmanager
def workers(address: str, processes: int) -> Iterator[list[Connection]]:
    """That many worker processes, ready; a pipe to each."""
    pipes, children = [], []
    for _ in range(processes):
        pipe, theirs = spawn.Pipe()
        child = spawn.Process(target=work, args=(address, theirs))
        child.start()
        theirs.close()
        pipes.append(pipe)
        children.append(child)
    try:
        for pipe in pipes:
            pipe.recv()
        yield pipes
    finally:
        for pipe, child in zip(pipes, children, strict=True):
            child.kill()  # an orderly end takes two seconds, and nothing is measured any more
            child.join()
            pipe.close()


def work(address: str, pipe: Connection) -> None:
    """A worker process until it is killed: a number makes it send so many messages, None return its delays."""
    found: list[float] = []
    broker = make(address)
    ring = declare_actor(broker, found)
    is_redis = "://" in address
    timeout = REDIS_TIMEOUT_MILLISECONDS if is_redis else 1000
    worker = dramatiq.Worker(broker, worker_timeout=timeout, worker_threads=THREADS)
    worker.start()
    pipe.send("ready")
    while True:
        count = pipe.recv()
        if count is None:
            pipe.send(found)
            continue
        for _ in range(count):
            ring.send(time.monotonic())
        pipe.send(count)


def make(address: str) -> dramatiq.Broker:
    """Ours at a path, Dramatiq's at the URL of a Redis."""
    middleware = [Retries(max_retries=0)]
    made: dramatiq.Broker
    if "://" in address:
        made = RedisBroker(url=address, middleware=middleware)
    else:
        made = SqliteBroker(Path(address), middleware=middleware)
    for queue in IDLE_QUEUES:
        made.declare_queue(queue)
    return made


def declare_actor(broker: dramatiq.Broker, found: list[float]) -> Any:
    """The actor notes in `found` how many milliseconds ago its message was sent."""

    @dramatiq.actor(broker=broker, queue_name=QUEUE)
    def ring(sent_at: float) -> None:
        found.append(1000 * (time.monotonic() - sent_at))

    return ring


def at(values: list[float], quantile: float) -> float:
    """Of sorted values, the one that `quantile` of them do not exceed."""
    return values[min(len(values) - 1, math.ceil(quantile * len(values)) - 1)]


@contextmanager
def redis_server() -> Iterator[str | None]:
    """The address of a real server that writes its log to disk once a second, or None where there is none."""
    program = shutil.which("redis-server")
    if program is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="or-bench-redis-") as folder:
        socket = Path(folder, "s")
        options = ["--port", "0", "--unixsocket", str(socket), "--dir", folder, "--save", ""]
        durable = ["--appendonly", "yes", "--appendfsync", "everysec"]
        server = subprocess.Popen([program, *options, *durable], stdout=subprocess.DEVNULL)
        try:
            while not socket.exists():
                if server.poll() is not None:
                    raise RuntimeError(f"redis-server ended with {server.returncode}")
                time.sleep(0.01)
            yield f"unix://{socket}"
        finally:
            server.terminate()
            server.wait(10)


def main() -> int:
    """Print a table; 1 when a bar is missed."""
    rows = measure()
    for row in rows:
        beside = f"redis {row['yardstick']} ({row['ratio']} x)" if row["yardstick"] else "no redis-server"
        verdict = "ok" if row["ok"] else "SHORT"
        print(f"{row['name']:30} {row['value']:>8} {row['unit']:14} {beside:28} {row['bar']:16} {verdict}")
    return 0 if all(row["ok"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
