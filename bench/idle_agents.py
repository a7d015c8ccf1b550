"""What the control plane adds to an idle agent's memory: the real programs, each waiting for a person's answer."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import psutil

from bench.idle import MEGABYTE, SETTLE_SECONDS, pss
from bench.samples import Row, row
from tests import processes
from tests.agents.site import ASK, PROGRAM, Site, site

AGENTS = 4
#: As much as the shim of a quiet shell task may take (bench/idle.py), and the agent's proxy.
OVERHEAD_BYTES = 14e6


def measure() -> list[Row]:
    return [one(runner) for runner in ("claude-code", "codex")]


def one(runner: str) -> Row:
    """Megabytes of PSS for each agent, beyond the agent's own, its proxy included; beside those of the agent."""
    policy = {**ASK, "allow_network": False}
    with site(runner) as made:
        before, _ = looked_at(made)
        ids = [made.start({"run": "touch waits"}, {"say": "Done."}, policy=policy) for _ in range(AGENTS)]
        for task_id in ids:
            made.asked(task_id)
        after, agents = looked_at(made)
        for task_id in ids:
            made.command(task_id, "stop")
            made.ended(task_id)
    added = (after - before) / AGENTS
    name = f"idle agents: memory added to one idle {PROGRAM[runner]}"
    bar = f"<= {OVERHEAD_BYTES / MEGABYTE:g} MB"
    yardstick = agents / AGENTS / MEGABYTE
    return row(name, added / MEGABYTE, "MB", yardstick=yardstick, bar=bar, ok=added <= OVERHEAD_BYTES)


def looked_at(made: Site) -> tuple[int, int]:
    """(ours, the agents') PSS in bytes of every process around this installation, once it has come to rest."""
    time.sleep(SETTLE_SECONDS)
    ours = agents = 0
    for pid in processes.carrying(made.folder):
        with contextlib.suppress(psutil.Error, OSError):
            if is_agent(psutil.Process(pid), made):
                agents += pss(pid)
            else:
                ours += pss(pid)
    return ours, agents


def is_agent(process: psutil.Process, made: Site) -> bool:
    """The program itself; its containment and its shim are ours."""
    return Path((process.cmdline() or [""])[0]).name == PROGRAM[made.runner]


if __name__ == "__main__":
    for result in measure():
        print(result)
