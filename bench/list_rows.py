"""`GET /tasks` and a long task's first page, over a store of 10,000 tasks and 1,000,000 events beside a small one."""

from __future__ import annotations

import http.client
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

from bench.places import home
from bench.samples import Row, percentile, row
from shared import creation, policy
from shared.clock import now, to_micros
from shared.config import from_env
from shared.store.database import close, connect, raw
from shared.store.models import Task
from tests.installation import Installation, installed

SMALL_TASKS, LARGE_TASKS, EVENTS_EACH = 100, 10_000, 100
LONG_EVENTS, SHORT_EVENTS = 250_000, 100
SAMPLES = 500
PAGE = "/tasks?events=0&limit=25"
LIST_P95_MILLISECONDS, LIST_RATIO, BODY_KILOBYTES, OPEN_MILLISECONDS = 50.0, 2.0, 100.0, 300.0


def measure(samples: int = SAMPLES) -> list[Row]:
    """p95 in milliseconds of both lists, taken in turn; medians of the first pages."""
    with (
        home() as folder,
        installed(folder / "s", workers=0) as small,
        installed(folder / "l", workers=0) as large,
    ):
        short_id, _ = filled(small, SMALL_TASKS, SHORT_EVENTS)
        long_id, _ = filled(large, LARGE_TASKS, LONG_EVENTS)
        listed = taken(large, PAGE, small, PAGE, samples)
        opened = taken(large, f"/tasks/{long_id}", small, f"/tasks/{short_id}", samples // 10)
    ours, theirs = percentile(listed[0], 0.95), percentile(listed[1], 0.95)
    body = listed[2] / 1000
    first = percentile(opened[0], 0.5)
    return [
        row(
            "list: 10,000 tasks, 1,000,000 events, p95", ours, "ms", yardstick=theirs,
            bar=f"<= {LIST_P95_MILLISECONDS:g} ms, <= {LIST_RATIO:g} x",
            ok=ours <= LIST_P95_MILLISECONDS and ours <= LIST_RATIO * theirs,
        ),
        row("list: body", body, "kB", bar=f"<= {BODY_KILOBYTES:g} kB", ok=body <= BODY_KILOBYTES),
        row(
            "open: first page of 250,000 events", first, "ms", yardstick=percentile(opened[1], 0.5),
            bar=f"<= {OPEN_MILLISECONDS:g} ms", ok=first <= OPEN_MILLISECONDS,
        ),
    ]  # fmt: skip


def filled(site: Installation, count: int, long_events: int) -> tuple[str, int]:
    """Put `count` tasks of 100 events and one of `long_events` into a store; the long one's id, and its number."""
    config = from_env({"OPENRUNTIME_DATA": str(site.data)})
    connect(config.database)
    new = creation.NewTask(
        title="Fix the flaky login test", prompt="Find out why it fails, and fix it. " * 5, runner="shell",
        command="make test",
    )  # fmt: skip
    first = creation.create(new, Path("/tmp"))
    base = to_micros(now())
    copied = [name for name in Task._meta.columns if name not in ("number", "id", "updated_at", "last_seq")]
    names = ",".join(copied)
    store = raw()
    store.execute("BEGIN")
    store.execute("UPDATE task SET effective_policy = ?", (policy_text(),))
    store.executemany(
        f"INSERT INTO task (id, updated_at, last_seq, {names}) SELECT ?, ?, ?, {names} FROM task WHERE number = 1",
        [(str(uuid4()), base + number, EVENTS_EACH) for number in range(count)],
    )
    store.execute(
        "INSERT INTO attempt (id, task, attempt_number, runner, status, queued_at, started_at, finished_at)"
        " SELECT lower(hex(randomblob(16))), number, 1, 'shell', 'completed', 1, 1, 2 FROM task"
    )
    add_events(store, "number > 1", EVENTS_EACH, 1)
    add_events(store, "number = 1", long_events, 2)
    store.execute("UPDATE task SET last_seq = ? WHERE number = 1", (long_events + 1,))
    store.execute("COMMIT")
    close()
    return first.id, first.number


def policy_text() -> str:
    import json

    return json.dumps(policy.Policy().to_json())


def add_events(store: Any, which: str, count: int, first: int) -> None:
    store.execute(
        "WITH RECURSIVE line (n) AS (SELECT ? UNION ALL SELECT n + 1 FROM line WHERE n < ? + ? - 1)"
        " INSERT INTO event (task, seq, kind, message, metadata, created_at)"
        " SELECT number, n, 'stdout', 'line of output number ' || n, '{\"category\":\"runner-output\"}', 1"
        f" FROM task, line WHERE {which}",
        (first, first, count),
    )


def taken(
    one: Installation, path: str, other: Installation, other_path: str, samples: int
) -> tuple[list[float], list[float], int]:
    """Milliseconds of both requests, in turn on kept connections; and the first one's body in bytes."""
    asking = [Asking(one, path), Asking(other, other_path)]
    for asker in asking * 5:
        asker.once()
    found: tuple[list[float], list[float]] = ([], [])
    for _ in range(samples):
        for asker, times in zip(asking, found, strict=True):
            times.append(asker.once())
    size = asking[0].size
    for asker in asking:
        asker.connection.close()
    return (*found, size)


class Asking:
    """One kept connection that asks for the same thing again and again."""

    def __init__(self, site: Installation, path: str) -> None:
        self.connection = http.client.HTTPConnection(site.address)
        self.path, self.size = path, 0
        self.headers = {"Authorization": f"Bearer {site.token}"}

    def once(self) -> float:
        began = time.perf_counter()
        self.connection.request("GET", self.path, headers=self.headers)
        answer = self.connection.getresponse()
        self.size = len(answer.read())
        if answer.status != 200:
            raise AssertionError(f"{self.path} was answered with {answer.status}")
        return 1000 * (time.perf_counter() - began)


if __name__ == "__main__":
    for result in measure():
        print(result)
