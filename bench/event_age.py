"""How old a line is when a websocket client has it: 8 agents that talk, 50 clients, beside one of each."""

from __future__ import annotations

import multiprocessing
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from bench.fan_out import QUIET_SECONDS, read, served
from bench.places import END_SECONDS, finish, home
from bench.samples import Row, percentile, row, until
from tests.installation import Installation

AGENTS, CLIENTS = 8, 50
LINES_PER_SECOND, SECONDS = 100, 10
P50_MILLISECONDS, P99_MILLISECONDS = 60.0, 250.0
#: Says when it writes each line, on the clock the reader looks at too; begins when all others are ready.
AGENT = """\
import os, sys, time
print("ready", flush=True)
while not os.path.exists("go"):
    time.sleep(0.02)
began, each, lines = time.monotonic(), 1 / float(sys.argv[1]), int(sys.argv[2])
for number in range(lines):
    time.sleep(max(0.0, began + number * each - time.monotonic()))
    print(f"{time.time():.6f} what a build says while it compiles", flush=True)
"""


def measure(agents: int = AGENTS, clients: int = CLIENTS, seconds: int = SECONDS) -> list[Row]:
    """p50 and p99 in milliseconds over every line at every client; each client follows the tasks of all agents."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    one, one_lost = run(1, 1, seconds)
    all_of_them, lost = run(agents, clients, seconds)
    return [
        aged("event-age p50", all_of_them, one, 0.5, P50_MILLISECONDS),
        aged("event-age p99", all_of_them, one, 0.99, P99_MILLISECONDS),
        row("event-age: lines lost", lost + one_lost, "", bar="0", ok=not lost + one_lost),
    ]


def aged(name: str, ages: list[float], one: list[float], quantile: float, most: float) -> Row:
    """A row of one quantile; without a single line it is short, not absent."""
    value = percentile(ages, quantile) if ages else float("inf")
    yardstick = percentile(one, quantile) if one else None
    return row(name, value, "ms", yardstick=yardstick, bar=f"<= {most:g} ms", ok=value <= most)


def run(agents: int, clients: int, seconds: int) -> tuple[list[float], int]:
    """Ages in milliseconds from the agents' write to the clients' receipt, and how many lines did not come."""
    lines = LINES_PER_SECOND * seconds
    with home() as folder, started(folder, agents) as running:
        place = folder / "work"
        place.mkdir()
        (place / "agent.py").write_text(AGENT)
        command = f"exec python3 agent.py {LINES_PER_SECOND} {lines}"
        ids = [str(running.create(command, place, policy={})["id"]) for _ in range(agents)]
        with following(running, ids, clients, lines) as told:
            for task_id in ids:
                running.post(f"/tasks/{task_id}/start")
            until(lambda: ready(running, ids), END_SECONDS, every=0.1, what="the agents to be ready")
            (place / "go").touch()
            ages: list[float] = told.recv()
        for task_id in ids:
            finish(running, task_id)
    return ages, agents * clients * lines - len(ages)


@contextmanager
def started(folder: Path, agents: int) -> Iterator[Installation]:
    """A web process with threads for more sockets than the 48 it takes by itself, and a worker for all agents."""
    with served(folder) as site:
        site.settings["OPENRUNTIME_MAX_ATTEMPTS"] = str(agents)
        try:
            site.start_worker()
            yield site
        finally:
            site.close()


@contextmanager
def following(site: Installation, ids: list[str], clients: int, lines: int) -> Iterator[Connection]:
    """A process of clients that follow these tasks; it sends the ages of what came once it has all."""
    ours, theirs = multiprocessing.Pipe()
    reader = multiprocessing.get_context("fork").Process(
        target=read, args=(site, ids, clients, len(ids) * lines, theirs), daemon=True
    )
    reader.start()
    theirs.close()
    try:
        if ours.recv() != "ready":
            raise AssertionError("the clients could not connect")
        yield ours
        reader.join(QUIET_SECONDS)
    finally:
        reader.kill()
        reader.join()


def ready(running: Installation, ids: list[str]) -> bool:
    """Whether every agent has said its first line."""
    return all(running.get(f"/tasks/{task_id}/events?kind=stdout&limit=1").body for task_id in ids)


if __name__ == "__main__":
    for result in measure():
        print(result)
