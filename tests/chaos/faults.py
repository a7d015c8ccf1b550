"""Faults at random, from a seed: each is a method, drawn by weight, done while people go on asking."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable
from contextlib import suppress

import psutil

from tests.chaos import messages
from tests.chaos.world import Process, World


class Faults:
    """Kills, stops and garbles the processes of a world that has `workers` workers; `seed` replays the draws."""

    def __init__(self, world: World, seed: int, workers: int = 2) -> None:
        self.world = world
        self.chance = random.Random(seed)
        self.counts: dict[str, int] = {}
        self._workers = workers
        self._frozen: Process | None = None
        self._kinds: list[tuple[Callable[[], None], int]] = [
            (self.kill_worker, 5),
            (self.kill_web, 2),
            (self.kill_shim, 2),
            (self.kill_agent, 2),
            (self.freeze_worker, 2),
            (self.lose_messages, 2),
            (self.repeat_messages, 2),
            (self.kill_everything, 1),
        ]

    def strike(self) -> None:
        """One fault, and what a process manager does about it."""
        fault = self.chance.choices(*zip(*self._kinds, strict=True))[0]
        self.counts[fault.__name__] = self.counts.get(fault.__name__, 0) + 1
        self.world.tell(f"{sum(self.counts.values())} {fault.__name__}")
        fault()
        self.mend()

    def mend(self) -> None:
        """Start again what is dead."""
        installation = self.world.installation
        if installation.web is None or installation.web.poll() is not None:
            installation.start_web()
        for worker in [one for one in installation.workers if one.poll() is not None]:
            installation.workers.remove(worker)
        while len(installation.workers) < self._workers:
            self.world.worker()

    def thaw(self) -> None:
        """Let a stopped worker go on."""
        if self._frozen is not None and self._frozen.poll() is None:
            self._frozen.send_signal(signal.SIGCONT)
        self._frozen = None

    def kill_worker(self) -> None:
        self.world.kill(self.chance.choice(self.world.installation.workers))

    def kill_web(self) -> None:
        """Either of its two processes, or both."""
        web = self.world.installation.web
        assert web is not None
        parts = [psutil.Process(web.pid), *psutil.Process(web.pid).children()]
        for part in self.chance.choice([parts, parts[:1], parts[1:]]):
            part.kill()
            if part.pid == web.pid:
                web.wait(10)

    def kill_shim(self) -> None:
        if shims := self._shims():
            _kill(self.chance.choice(shims))

    def kill_agent(self) -> None:
        if agents := [child for shim in self._shims() for child in _below(shim)]:
            _kill(self.chance.choice(agents))

    def freeze_worker(self) -> None:
        """The last one that was stopped goes on."""
        self.thaw()
        self._frozen = self.chance.choice(self.world.installation.workers)
        self.world.freeze(self._frozen)

    def lose_messages(self) -> None:
        messages.lose(self.world)

    def repeat_messages(self) -> None:
        messages.bring_again(self.world, self.chance, newest=30)

    def kill_everything(self) -> None:
        """As a power cut would, but for the disk."""
        installation = self.world.installation
        victims = [below for shim in self._shims() for below in (shim, *_below(shim))]
        for process in (installation.web, *installation.workers):
            assert process is not None
            victims += [psutil.Process(process.pid), *_below(psutil.Process(process.pid))]
        for victim in victims:
            _kill(victim)
        for process in (installation.web, *installation.workers):
            assert process is not None
            process.wait(10)

    def _shims(self) -> list[psutil.Process]:
        """The shims of this world, in the order they came."""
        folder = f"{self.world.installation.data}/attempts/"
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if (
                    any(word.startswith(folder) for word in process.cmdline()[-1:])
                    and "shim" in process.cmdline()[-2]
                ):
                    found.append(process)
        return sorted(found, key=lambda process: process.pid)


def _below(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.Error):
        return list(process.children(recursive=True))
    return []


def _kill(process: psutil.Process) -> None:
    with suppress(psutil.Error):
        process.kill()
