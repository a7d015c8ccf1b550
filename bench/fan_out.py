"""500 websocket clients of one task that grows by 100 events a second, beside one client."""

from __future__ import annotations

import http.client
import multiprocessing
import re
import resource
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from bench.places import home
from bench.samples import Row, percentile, row, until
from broker import messages
from shared import doorbell, tasks, timeline
from shared.config import from_env
from shared.events import Draft, Kind
from shared.store.database import close, connect, transaction
from tests.installation import Installation
from tests.integration.web.conftest import Ws

CLIENTS, THREADS = 500, 640
EVENTS_PER_SECOND, SECONDS = 100, 10
QUIET_SECONDS = 15.0  # after so long without a frame nothing more comes
AGE_P99_MILLISECONDS, HTTP_P99_MILLISECONDS = 150.0, 50.0
#: Reading 50,000 events a second whole would measure the reader.
SENT = re.compile(rb'"message":"([0-9.]+) ')
SERVER = "from shared.config import from_env; from web.serve import serve; serve(from_env(), threads={})"


def measure(clients: int = CLIENTS, seconds: int = SECONDS) -> list[Row]:
    """p99 in milliseconds from the store's commit to its receipt, over all clients; HTTP p99 meanwhile."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    few, few_http, few_lost = run(1, seconds)
    ages, times, lost = run(clients, seconds)
    age, http_p99 = percentile(ages, 0.99), percentile(times, 0.99)
    few_age, few_time = percentile(few, 0.99), percentile(few_http, 0.99)
    return [
        row(f"fan-out: events lost by {clients} clients", lost + few_lost, "", bar="0", ok=not lost + few_lost),
        row(
            "fan-out: age, p99", age, "ms", yardstick=few_age,
            bar=f"<= {AGE_P99_MILLISECONDS:g} ms", ok=age <= AGE_P99_MILLISECONDS,
        ),
        row(
            "fan-out: HTTP meanwhile, p99", http_p99, "ms", yardstick=few_time,
            bar=f"<= {HTTP_P99_MILLISECONDS:g} ms", ok=http_p99 <= HTTP_P99_MILLISECONDS,
        ),
    ]  # fmt: skip


def run(clients: int, seconds: int) -> tuple[list[float], list[float], int]:
    """Ages and request times in milliseconds, and how many events did not arrive."""
    with home() as folder, served(folder) as site:
        config = from_env({"OPENRUNTIME_DATA": str(site.data)})
        ours, theirs = multiprocessing.Pipe()
        total = EVENTS_PER_SECOND * seconds
        task_id = str(site.create("true", folder)["id"])
        reader = multiprocessing.get_context("fork").Process(
            target=read, args=(site, [task_id], clients, total, theirs)
        )
        reader.start()
        if ours.recv() != "ready":
            raise AssertionError("the clients could not connect")
        times: list[float] = []
        asking = threading.Thread(target=ask, args=(site, seconds, times))
        asking.start()
        connect(config.database)
        bells = messages.bells(config)
        doorbell.listen(lambda ring: bells.changes.notify())
        publish(task_id, total)
        doorbell.forget()
        close()
        ages: list[float] = ours.recv()
        reader.join()
        asking.join()
    return ages, times, clients * total - len(ages)


@contextmanager
def served(folder: Path) -> Iterator[Installation]:
    """A web process with threads for all clients."""
    site = Installation(folder / "data", folder)
    site.data.mkdir(mode=0o700)
    argv = [sys.executable, "-P", "-c", f"import openruntime; {SERVER.format(THREADS)}"]
    process = subprocess.Popen(argv, env=site.environment, start_new_session=True)
    try:
        until((site.data / "instance.json").exists, 20, every=0.02, what="the server")
        yield site
    finally:
        process.terminate()
        process.wait(10)


def publish(task_id: str, total: int) -> None:
    """One event every hundredth of a second, with the time of its commit in it."""
    number = tasks.get(task_id).number
    began = time.monotonic()
    for sent in range(total):
        with transaction():
            timeline.append(number, [Draft(Kind.STDOUT, f"{time.time():.6f} " + "x" * 200)])
        time.sleep(max(0.0, began + (sent + 1) / EVENTS_PER_SECOND - time.monotonic()))


def ask(site: Installation, seconds: int, times: list[float]) -> None:
    """Twenty requests a second on one connection."""
    connection = http.client.HTTPConnection(site.address)
    for _ in range(20 * seconds):
        began = time.perf_counter()
        connection.request("GET", "/health")
        connection.getresponse().read()
        times.append(1000 * (time.perf_counter() - began))
        time.sleep(max(0.0, 0.05 - (time.perf_counter() - began)))
    connection.close()


def read(site: Installation, ids: list[str], clients: int, total: int, told: Connection) -> None:
    """All clients in one process, each following these tasks: the ages of `total` events each, or of what comes."""
    headers = {"Authorization": f"Bearer {site.token}"}
    sockets = [Ws(site.address, headers) for _ in range(clients)]
    selector = selectors.DefaultSelector()
    for ws in sockets:
        ws.send({"sub": [{"topic": f"task:{task_id}"} for task_id in ids]})
        for _ in ids:
            ws.until("task")
        selector.register(ws.socket, selectors.EVENT_READ, ws)
    told.send("ready")
    ages: list[float] = []
    while len(ages) < clients * total and (ready := selector.select(QUIET_SECONDS)):
        for key, _ in ready:
            collect(key.data, ages)
    for ws in sockets:
        ws.socket.close()
    told.send(ages)


def collect(ws: Ws, ages: list[float]) -> None:
    """Read what is there, and note the ages of whole messages."""
    ws._more()
    while (size := length(ws.buffer)) is not None:
        _, payload = ws.frame()
        at = time.time()
        ages += [1000 * (at - float(sent)) for sent in SENT.findall(payload)]
        assert size


def length(buffer: bytes) -> int | None:
    """The bytes of the first frame, if all of them are there."""
    if len(buffer) < 2:
        return None
    short = buffer[1] & 0x7F
    head = {126: 4, 127: 10}.get(short, 2)
    size = int.from_bytes(buffer[2:head], "big") if head > 2 else short
    return head + size if len(buffer) >= head + size else None


if __name__ == "__main__":
    for result in measure():
        print(result)
