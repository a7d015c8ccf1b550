"""The loop of `up`: keeps the processes of the Procfile alive and ends them in order (docs/adr/0007)."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from openruntime.cli.children import DEATHS, Child
from openruntime.cli.exits import FAILED, INTERRUPTED, OK
from openruntime.cli.printing import Printer
from openruntime.cli.procfile import WORKER, Entry

IDLE_SECONDS = 1.0
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)


class Phase(Enum):
    RUNNING = "running"
    INTERRUPTING = "interrupting"  # workers stop their agents
    TERMINATING = "terminating"  # everything ends, agents that still live stay


@dataclass(frozen=True)
class Grace:
    """How long processes get before they are killed.

    A worker gives its agents 15 s to end (contract 2) and needs a moment more to write that down.
    """

    interrupt_seconds: float = 17.0
    terminate_seconds: float = 10.0


class Foreground:
    """Runs the entries until a signal or a hopeless process ends it.

    `sweep` ends agents that outlived their workers; it is called when Ctrl-C promised that nothing stays.
    Signal handlers only note the number; the loop acts on it.
    """

    def __init__(
        self,
        entries: Sequence[Entry],
        environ: Mapping[str, str],
        printer: Printer,
        *,
        sweep: Callable[[], object] = lambda: None,
        grace: Grace = Grace(),
    ) -> None:
        self._children = [Child(entry, environ) for entry in entries]
        self._printer, self._sweep, self._grace = printer, sweep, grace
        self._selector = selectors.DefaultSelector()
        self._signals: deque[int] = deque()
        self._phase, self._deadline, self._code = Phase.RUNNING, float("inf"), OK

    def run(self) -> int:
        """Returns the exit code: 0 after SIGTERM, 130 after SIGINT, 1 when a process kept dying."""
        with self._listening():
            for child in self._children:
                self._start(child)
            while self._phase is Phase.RUNNING or self._alive():
                self._wait()
                self._obey()
                self._bury()
                self._advance(time.monotonic())
        if self._code == INTERRUPTED:
            self._sweep()
        return self._code

    def _alive(self, *, workers_only: bool = False) -> list[Child]:
        return [
            child
            for child in self._children
            if child.alive and (child.entry.kind == WORKER or not workers_only)
        ]

    def _start(self, child: Child) -> None:
        child.start()
        if child.output is not None:
            self._selector.register(child.output, selectors.EVENT_READ, child)

    def _wait(self) -> None:
        """Until something is written, a signal comes or a deadline passes; relays what was written."""
        moments = [child.restart_at for child in self._children if child.restart_at is not None]
        pause = min([*moments, self._deadline]) - time.monotonic()
        for key, _ in self._selector.select(max(0.0, min(pause, IDLE_SECONDS))):
            if isinstance(key.data, Child):
                self._relay(key.data, key.data.lines())
                if key.data.silent:
                    self._ignore(key.fd)
            else:
                with contextlib.suppress(BlockingIOError):
                    os.read(key.fd, 4096)

    def _relay(self, child: Child, lines: list[bytes]) -> None:
        for line in lines:
            self._printer.child(child.entry.name, line)

    def _ignore(self, output: int | None) -> None:
        """Stop waiting for an output that has ended."""
        if output is not None and output in self._selector.get_map():
            self._selector.unregister(output)

    def _obey(self) -> None:
        while self._signals:
            number = self._signals.popleft()
            if number == signal.SIGINT and self._phase is Phase.RUNNING:
                self._interrupt()
            elif number == signal.SIGINT:
                self._kill()
            elif number in (signal.SIGTERM, signal.SIGHUP) and self._phase is Phase.RUNNING:
                self._terminate()

    def _interrupt(self) -> None:
        """Ctrl-C: the workers stop every agent, then everything ends."""
        self._printer.note("Stopping every agent; Ctrl-C again kills.")
        self._code, self._phase = INTERRUPTED, Phase.INTERRUPTING
        self._deadline = time.monotonic() + self._grace.interrupt_seconds
        self._send(signal.SIGINT, self._alive(workers_only=True))

    def _terminate(self) -> None:
        """Web and workers end; agents go on and are attached again at the next start."""
        self._phase, self._deadline = Phase.TERMINATING, time.monotonic() + self._grace.terminate_seconds
        self._send(signal.SIGTERM, self._alive())

    def _kill(self) -> None:
        """The second Ctrl-C: nothing gets more time, agents included."""
        self._code, self._phase, self._deadline = INTERRUPTED, Phase.TERMINATING, float("inf")
        self._send(signal.SIGKILL, self._alive())

    def _send(self, number: int, children: list[Child]) -> None:
        for child in children:
            child.signal(number)

    def _bury(self) -> None:
        now = time.monotonic()
        for child in self._alive():
            output = child.output
            rest = child.buried(now)
            if rest is None:
                continue
            self._ignore(output)
            self._relay(child, rest)
            if self._phase is Phase.RUNNING:
                self._mourn(child, now)

    def _mourn(self, child: Child, now: float) -> None:
        if not child.hopeless(now):
            self._printer.note(f"{child.entry.name} died ({child.ended}); starting it again.")
            return
        self._printer.last_words(child.entry.name, child.last_lines)
        self._printer.error(
            f"{child.entry.name} died {DEATHS} times within a minute (last: {child.ended}), so openRuntime ends."
        )
        self._code = FAILED
        self._terminate()

    def _advance(self, now: float) -> None:
        """Whatever is due: a restart, the next step down the ladder."""
        if self._phase is Phase.RUNNING:
            for child in self._children:
                if child.restart_at is not None and child.restart_at <= now:
                    self._start(child)
        elif self._phase is Phase.INTERRUPTING:
            stubborn = self._alive(workers_only=True)
            if not stubborn or now >= self._deadline:
                self._send(signal.SIGKILL, stubborn)
                self._terminate()
        elif now >= self._deadline:
            self._deadline = float("inf")
            self._send(signal.SIGKILL, self._alive())

    @contextlib.contextmanager
    def _listening(self) -> Iterator[None]:
        """Signals wake the loop through a pipe; what was set before is set again afterwards."""
        reader, writer = os.pipe()
        for end in (reader, writer):
            os.set_blocking(end, False)
        self._selector.register(reader, selectors.EVENT_READ)
        nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        heard = [number for number in SIGNALS if not (nohup and number == signal.SIGHUP)]
        before = {number: signal.signal(number, self._noted) for number in heard}
        woken = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(woken)
            for number, handler in before.items():
                signal.signal(number, handler)
            self._selector.close()
            os.close(reader)
            os.close(writer)

    def _noted(self, number: int, _: object) -> None:
        self._signals.append(number)
