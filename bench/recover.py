"""kill -9 of web, of the worker, of everything but the shims: until serving, until re-attached, and what was lost."""

from __future__ import annotations

import time
from pathlib import Path

from bench.foreground import Foreground, up
from bench.places import finish, home, repository, seconds
from bench.samples import Row, median, row, until
from tests.installation import Installation

#: Every second round starts a new `up`: one `up` gives up a process that dies five times within a minute.
ROUNDS = 6
SERVING_SECONDS, ATTACHED_SECONDS = 3.0, 5.0
LOOK_SECONDS = 0.005
#: Counts until it is told to end, and says how far it came; what is missing was lost.
COUNTING = 'i=0; while [ ! -e enough ]; do i=$((i+1)); echo "$i"; sleep 0.01; done; echo "end $i"'


def measure(rounds: int = ROUNDS) -> list[Row]:
    """Medians in seconds since the kill; events lost or doubled over all kills."""
    web, worker, serving, attached = [], [], [], []
    with home() as folder, up(folder / "data", folder) as foreground:
        client, first = foreground.client, foreground.serving_seconds
        task_id = client.run(COUNTING, repository(folder / "repo"), policy={})
        until(lambda: newest(client, task_id), 30, every=0.02, what="the agent's first line")
        for number in range(rounds):
            web.append(after_web(foreground))
            worker.append(after_worker(foreground, task_id))
            if number % 2:
                both = after_everything(foreground, task_id)
                serving.append(both[0])
                attached.append(both[1])
        lost = missing(client, task_id)
    return [
        figure("recover: web killed, serving", web, SERVING_SECONDS, first),
        figure("recover: worker killed, re-attached", worker, ATTACHED_SECONDS, first),
        figure("recover: all killed, serving", serving, SERVING_SECONDS, first),
        figure("recover: all killed, re-attached", attached, ATTACHED_SECONDS, first),
        row("recover: events lost or doubled", lost, "events", bar="0", ok=lost == 0),
    ]


def figure(name: str, took: list[float], bar: float, first_start: float) -> Row:
    """The yardstick is this run's first start, which had nothing to recover."""
    value = median(took)
    return row(name, value, "s", yardstick=first_start, bar=f"<= {bar:g} s", ok=value <= bar)


def after_web(foreground: Foreground) -> float:
    """Seconds until `/health` says ok again."""
    web = foreground.process("web")
    before = time.monotonic()
    web.kill()
    web.wait(10)
    until(foreground.serves, 30, every=LOOK_SECONDS, what="web to serve again")
    return time.monotonic() - before


def after_worker(foreground: Foreground, task_id: str) -> float:
    """Seconds until the next worker stores what the agent says."""
    worker = foreground.process("worker")
    before = time.time()
    worker.kill()
    worker.wait(10)
    return attached_at(foreground.client, task_id, time.time()) - before


def after_everything(foreground: Foreground, task_id: str) -> tuple[float, float]:
    """Seconds from a new `up` until it serves, and until its worker stores what the agent says."""
    foreground.kill_all()
    began = time.time()
    serving = foreground.start()
    return serving, attached_at(foreground.client, task_id, began) - began


def attached_at(client: Installation, task_id: str, dead_since: float) -> float:
    """When the first event was stored that the dead worker cannot have stored."""

    def found() -> float | None:
        at = newest(client, task_id)
        return at if at and at > dead_since else None

    until(found, 30, every=0.05, what="the agent's next line")
    events = client.get(f"/tasks/{task_id}/events?before={2**40}&limit=500").body
    return min(at for event in events if (at := seconds(event["created_at"])) > dead_since)


def newest(client: Installation, task_id: str) -> float | None:
    """When the newest line of the agent was stored."""
    events = client.get(f"/tasks/{task_id}/events?before={2**40}&limit=1&kind=stdout").body
    return seconds(events[-1]["created_at"]) if events else None


def missing(client: Installation, task_id: str) -> int:
    """End the agent; how many of the lines it wrote are not stored exactly once and in order."""
    Path(client.task(task_id)["execution_workspace"], "enough").touch()
    finish(client, task_id)
    stored = client.output(task_id)
    wrote = int(stored[-1].removeprefix("end "))
    wanted = [*(str(number) for number in range(1, wrote + 1)), f"end {wrote}"]
    if stored == wanted:
        return 0
    return max(1, len(set(wanted) - set(stored)) + abs(len(stored) - len(set(stored))))


if __name__ == "__main__":
    for result in measure():
        print(result)
