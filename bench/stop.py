"""From `POST …/stop` to the agent's signal handler, and to no process left, beside kill(2) of a bare group."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from bench.places import finish, installation, seconds
from bench.samples import Row, percentile, row, until
from tests.installation import Installation

AGENTS = 8
MOST_SAMPLES, MOST_SECONDS = 504, 65.0
SIGNAL_P99_MILLISECONDS, GONE_P99_MILLISECONDS = 250.0, 1000.0
#: Says when its handler ran, in nanoseconds of the wall clock, and leaves.
POLITE = "trap 'date +%s%N; exit 0' TERM; echo ready; while :; do sleep 600 & wait $!; done"


def measure(most: int = MOST_SAMPLES) -> list[Row]:
    """p99 in milliseconds until the handler ran, and until the attempt is recorded as ended with nothing left of it.

    Agents work in a plain folder: what a capture takes is `diff`'s figure. Eight live at a time, stopped in turn.
    """
    signalled: list[float] = []
    gone: list[float] = []
    bare: list[tuple[float, float]] = []
    ends = time.monotonic() + MOST_SECONDS
    with installation() as (running, folder):
        (folder / "work").mkdir()
        while len(gone) < most and time.monotonic() < ends:
            for task_id in living(running, folder / "work"):
                before = time.time()
                answer = running.post(f"/tasks/{task_id}/stop")
                if answer.status not in (200, 202):
                    raise AssertionError(f"the stop was answered with {answer.status}: {answer.body}")
                finish(running, task_id)
                handled, ended = stamps(running, task_id)
                signalled.append(1000 * (handled - before))
                gone.append(1000 * (ended - before))
            bare += killed(folder / "work")
    return [
        figure("stop: signal delivered, p50", signalled, [took[0] for took in bare], 0.5, None),
        figure(
            "stop: signal delivered, p99",
            signalled,
            [took[0] for took in bare],
            0.99,
            SIGNAL_P99_MILLISECONDS,
        ),
        figure("stop: no process left, p99", gone, [took[1] for took in bare], 0.99, GONE_P99_MILLISECONDS),
    ]


def figure(name: str, ours: list[float], bare: list[float], quantile: float, bar: float | None) -> Row:
    value = percentile(ours, quantile)
    said = f"<= {bar:g} ms" if bar else ""
    ok = bar is None or value <= bar
    return row(name, value, "ms", yardstick=percentile(bare, quantile), bar=said, ok=ok)


def living(running: Installation, folder: Path) -> list[str]:
    """Tasks whose agents have said that they are ready."""
    ids = [running.run(POLITE, folder, policy={}) for _ in range(AGENTS)]
    for task_id in ids:
        until(lambda id=task_id: lines(running, id), 30, every=0.02, what="the agent to be ready")  # type: ignore[misc]
    return ids


def lines(running: Installation, task_id: str) -> list[dict[str, Any]]:
    return list(running.get(f"/tasks/{task_id}/events?kind=stdout").body)


def stamps(running: Installation, task_id: str) -> tuple[float, float]:
    """When the handler ran, and when the attempt had ended, in seconds of the wall clock."""
    handled = int(lines(running, task_id)[-1]["message"]) / 1e9
    return handled, seconds(running.task(task_id)["attempts"][-1]["finished_at"])


def killed(folder: Path) -> list[tuple[float, float]]:
    """The same agents without us: milliseconds from killpg to the handler, and to the end of the leader."""
    argv = ["/bin/sh", "-c", POLITE]
    agents = [
        subprocess.Popen(
            argv, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )
        for _ in range(AGENTS)
    ]
    found = []
    for agent in agents:
        assert agent.stdout is not None
        agent.stdout.readline()
        before = time.time()
        os.killpg(agent.pid, signal.SIGTERM)
        handled = int(agent.stdout.readline()) / 1e9
        agent.wait()
        found.append((1000 * (handled - before), 1000 * (time.time() - before)))
        agent.stdout.close()
    return found


if __name__ == "__main__":
    for result in measure():
        print(result)
