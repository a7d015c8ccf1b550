"""How an agent ends: its stop ladder, the sweep that leaves no process of it, and what it used."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence

from workers.shim import proc

TYPE_CHECKING = False  # checkers read it as true; importing typing for it would cost every shim 3 ms
if TYPE_CHECKING:
    from workers.shim.proc import Process

SWEEP_SECONDS = 10.0
PAUSE_SECONDS = 0.002
KILL = signal.SIGKILL


def signal_number(name: str) -> int:
    """`TERM` or `SIGTERM` to its number. Raises ValueError for what is no signal's name."""
    found = getattr(signal, name if name.startswith("SIG") else f"SIG{name}", None)
    if not isinstance(found, signal.Signals):
        raise ValueError(f"{name} is not the name of a signal.")
    return int(found)


class Family:
    """Every process below the shim. The shim is the parent of all orphans, so none gets out of sight.

    Nothing else in the shim waits for children: a second place that reaps would steal the main process's status.
    """

    def __init__(self) -> None:
        self.main = 0
        self.sandbox_init: Process | None = None  # pid 1 of the agent's own process namespace
        self.proxy: Process | None = None  # a fork of the shim, and nothing of the agent's
        self.status: int | None = None
        self.was_killed = False  # the main process, by `kill`
        self.cpu_seconds = 0.0
        self.max_rss_bytes = 0

    def reap(self) -> None:
        """Collect every child that has ended, and what it used."""
        while True:
            try:
                pid, status, used = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if self.proxy and pid == self.proxy[0]:
                continue
            self.cpu_seconds += used.ru_utime + used.ru_stime
            self.max_rss_bytes = max(self.max_rss_bytes, used.ru_maxrss * 1024)
            if pid == self.main:
                self.status = status

    def members(self) -> list[Process]:
        """Everything alive below the shim, parents first."""
        return proc.descendants([os.getpid()])

    def servants(self) -> set[int]:
        """What is there for the agent but not of it: the sandbox's own processes, and its proxy."""
        sandbox = {self.main, self.sandbox_init[0]} if self.sandbox_init else set()
        return sandbox | ({self.proxy[0]} if self.proxy else set())

    def signal(self, number: int) -> int:
        """Signal the agent and all below it, but not what serves it; returns how many got it."""
        own = self.servants()
        return sum(proc.send(member, number) for member in self.members() if member[0] not in own)

    def kill(self) -> int:
        """SIGKILL until nothing is left, at most 10 s; returns how many were found alive at first."""
        if self.sandbox_init:
            proc.send(self.sandbox_init, KILL)  # takes its whole namespace along, at once
        self.was_killed = self.was_killed or self.status is None
        first = -1
        until = time.monotonic() + SWEEP_SECONDS
        while True:
            members = self.members()
            if first < 0:
                first = sum(member not in (self.sandbox_init, self.proxy) for member in members)
            for member in members:
                proc.send(member, KILL)
            self.reap()
            if not members or time.monotonic() > until:
                return first
            time.sleep(PAUSE_SECONDS)


class Ladder:
    """The steps of a stop: each a signal and the seconds it is given; after the last one SIGKILL.

    `due` is when the next step is to be taken, on the monotonic clock; None when no stop is under way.
    """

    def __init__(self, steps: Sequence[Sequence[object]]) -> None:
        self._default = parsed(steps)
        self._left: list[tuple[int, float]] = []
        self.due: float | None = None

    def begin(self, steps: Sequence[Sequence[object]] | None) -> None:
        """Start, or start again with other steps (an impatient second stop)."""
        self._left = list(self._default) if steps is None else parsed(steps)
        self.due = time.monotonic()

    def step(self, family: Family) -> str:
        """Take the step that is due; returns the signal's name."""
        if not self._left:
            self.due = None
            family.kill()
            return "KILL"
        number, grace_seconds = self._left.pop(0)
        family.signal(number)
        self.due = time.monotonic() + grace_seconds
        return signal.Signals(number).name.removeprefix("SIG")


def parsed(steps: Sequence[Sequence[object]]) -> list[tuple[int, float]]:
    """[["TERM", 5.0], …] as numbers. Raises ValueError for anything else."""
    found = []
    for step in steps:
        name, grace = step
        seconds = float(str(grace))
        if not 0 <= seconds <= 3600:
            raise ValueError("A step of a stop lasts from 0 to 3600 seconds.")
        found.append((signal_number(str(name)), seconds))
    return found
