"""`openruntime up` as a person starts it, for benchmarks: started, looked into, killed, ended."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from bench.samples import until
from tests.installation import Installation

SERVING_SECONDS = 30.0
END_SECONDS = 30.0
LOOK_SECONDS = 0.005


class Foreground:
    """One `up` and the client that speaks to it."""

    def __init__(self, data: Path, home: Path) -> None:
        self.client = Installation(data, home)
        self._process: subprocess.Popen[bytes] | None = None
        self.serving_seconds = 0.0

    def start(self) -> float:
        """Start `up` and wait until its `/health` says ok; returns the seconds that took."""
        self.client.data.mkdir(mode=0o700, exist_ok=True)
        before = time.monotonic()
        with (self.client.data / "up.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "openruntime", "up"],
                env=self.client.environment,
                cwd=self.client.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(self.serves, SERVING_SECONDS, every=LOOK_SECONDS, what="/health to say ok")
        self.serving_seconds = time.monotonic() - before
        return self.serving_seconds

    def serves(self) -> bool:
        """Whether `/health` says ok: web answers and a worker lives."""
        try:
            return bool(self.client.get("/health").body["status"] == "ok")
        except (OSError, KeyError, ValueError):
            return False

    def process(self, kind: str) -> psutil.Process:
        """The web or the worker process."""
        for child in psutil.Process(self.pid).children():
            if kind in child.cmdline():
                return child
        raise LookupError(f"up has no {kind} now")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill_all(self) -> None:
        """SIGKILL to `up` and everything it started; shims and agents are nobody's children and stay."""
        assert self._process is not None
        family = [self._process.pid, *(child.pid for child in psutil.Process(self.pid).children(True))]
        for pid in family:
            with contextlib.suppress(psutil.NoSuchProcess):  # a child may end with its parent
                psutil.Process(pid).send_signal(signal.SIGKILL)
        self._process.wait(END_SECONDS)

    def end(self) -> None:
        """Ctrl-C: every agent is stopped and no process left."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(END_SECONDS)


@contextmanager
def up(data: Path, home: Path) -> Iterator[Foreground]:
    """A serving `up`; ended by Ctrl-C when the block is left."""
    foreground = Foreground(data, home)
    try:
        foreground.start()
        yield foreground
    finally:
        foreground.end()
