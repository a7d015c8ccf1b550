"""The shim's side of a contained agent's way out: starts the proxy, opens the gate, and notes what was reached."""

from __future__ import annotations

import json
import os
import selectors
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from workers.shim import proc
from workers.shim.proxy import process

TYPE_CHECKING = False  # checkers read it as true; importing typing for it would cost every shim 3 ms
if TYPE_CHECKING:
    from typing import Any

    from workers.shim.proc import Process

LAST_WORDS_SECONDS = 0.5


class Network:
    """What one agent reaches. `note` records what the proxy tells; `problem` is called with one sentence when there
    will be no proxy, and then the agent must not start.
    """

    def __init__(
        self,
        launch: Mapping[str, Any],
        selector: selectors.BaseSelector,
        note: Callable[[Mapping[str, Any]], None],
        problem: Callable[[str], None],
    ) -> None:
        self._launch, self._selector, self._note, self._problem = launch, selector, note, problem
        self._gate: int | None = None
        self._reports: int | None = None
        self._line = b""
        self.proxy: Process | None = None

    def start(self, sandbox: Mapping[str, Any], gate: int) -> None:
        """Start the proxy for a sandbox that waits at its gate."""
        self._gate = gate
        pid, self._reports = process.start(self._launch, sandbox)
        self.proxy = (pid, proc.start_time(pid))
        self._selector.register(self._reports, selectors.EVENT_READ, lambda _: self._hear())

    def finish(self) -> None:
        """Hear what the proxy has still to tell, and end it."""
        if self.proxy is None:
            return
        proc.send(self.proxy, signal.SIGTERM)
        until = time.monotonic() + LAST_WORDS_SECONDS
        while self._reports is not None and time.monotonic() < until:
            self._hear()
            time.sleep(0.002)
        proc.send(self.proxy, signal.SIGKILL)

    def _hear(self) -> None:
        assert self._reports is not None  # noqa: S101
        try:
            data = os.read(self._reports, 1 << 16)
        except BlockingIOError:
            return
        if not data:
            self._selector.unregister(self._reports)
            os.close(self._reports)
            self._reports = None
            if self._gate is not None:
                self._problem("The proxy ended before it listened.")
            return
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            self._heard(json.loads(line))

    def _heard(self, said: dict[str, Any]) -> None:
        if "problem" in said:
            self._problem(said["problem"])
        elif "ready" in said:
            assert self._gate is not None  # noqa: S101
            with suppress(OSError):
                os.write(self._gate, b"1")
            os.close(self._gate)
            self._gate = None
        else:
            self._note(said)
