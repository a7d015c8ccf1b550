"""One process of the Procfile: started on a leash, its output read, its deaths counted."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from openruntime.cli.procfile import Entry

LEASH = Path(__file__).with_name("leash.py")
#: Five deaths of one process within a minute end `up` (contract 2).
DEATHS, WINDOW_SECONDS = 5, 60.0
#: The first restart is nearly at once; each further death within the window doubles the pause.
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.25, 5.0
READ_BYTES = 64 * 1024
LINE_BYTES = 8 * 1024
LAST_LINES = 10
LAST_READS = 16


class Child:
    """Keeps what `up` knows about one process; all times are seconds of one monotonic clock."""

    def __init__(self, entry: Entry, environ: Mapping[str, str]) -> None:
        self.entry, self._environ = entry, environ
        self._process: subprocess.Popen[bytes] | None = None
        self._deaths: deque[float] = deque(maxlen=DEATHS)
        self._partial = b""
        self.restart_at: float | None = None
        self.silent = False
        self.last_lines: deque[bytes] = deque(maxlen=LAST_LINES)
        self.ended = ""

    @property
    def alive(self) -> bool:
        return self._process is not None

    @property
    def output(self) -> int | None:
        """The descriptor its output comes from, while it lives."""
        return self._process.stdout.fileno() if self._process and self._process.stdout else None

    def start(self) -> None:
        """Start it in a session of its own, tied to us: it gets SIGTERM when we die, even by SIGKILL.

        Call from the main thread only: the kernel ties it to the thread that started it.
        """
        self.restart_at, self.silent, self._partial = None, False, b""
        leash = (sys.executable, "-I", "-S", str(LEASH), str(os.getpid()))
        self._process = subprocess.Popen(  # noqa: S603  (the Procfile is ours)
            [*leash, *self.entry.argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**self._environ, "OPENRUNTIME_PARENT": str(os.getpid())},
            start_new_session=True,
        )
        if self._process.stdout:
            os.set_blocking(self._process.stdout.fileno(), False)

    def signal(self, number: int) -> None:
        """To the process alone, which ends its own helpers in order; SIGKILL goes to its whole group."""
        if self._process is None or self._process.returncode is not None:
            return
        try:
            if number == signal.SIGKILL or self.entry.in_shell:
                os.killpg(self._process.pid, number)
            else:
                #: Popen's own way would reap it, and with it the name of its group.
                os.kill(self._process.pid, number)
        except ProcessLookupError:
            pass

    def lines(self) -> list[bytes]:
        """The lines it has completed since the last call; a long one is cut into several."""
        read = self._read()
        if read is None:
            return []
        *whole, self._partial = (self._partial + read).split(b"\n")
        if len(self._partial) > LINE_BYTES or (self.silent and self._partial):
            whole, self._partial = [*whole, self._partial], b""
        self.last_lines.extend(whole)
        return whole

    def _read(self) -> bytes | None:
        """What can be read now; None for nothing. Sets `silent` at the end of its output."""
        if self.output is None or self.silent:
            return None
        try:
            read = os.read(self.output, READ_BYTES)
        except BlockingIOError:
            return None
        self.silent = not read
        return read

    def buried(self, now: float) -> list[bytes] | None:
        """What it still had to say, once it is found dead; None while it lives."""
        if self._process is None or not self._has_died(self._process.pid):
            return None
        #: Bounded: something it left behind may hold the pipe and go on writing.
        rest = [line for _ in range(LAST_READS) for line in self.lines()]
        if self._partial:
            rest.append(self._partial)
        if self._process.stdout:
            self._process.stdout.close()
        self.ended = _how(self._process.wait())
        self._process = None
        self._deaths.append(now)
        recent = sum(1 for moment in self._deaths if now - moment < WINDOW_SECONDS)
        self.restart_at = now + min(FIRST_PAUSE_SECONDS * 2 ** (recent - 1), LONGEST_PAUSE_SECONDS)
        return rest

    def _has_died(self, pid: int) -> bool:
        """Look without reaping: until it is reaped its pid names its group alone, and what it left there (a web
        process's own worker, which would hold the port) can be ended safely."""
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return False
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        return True

    def hopeless(self, now: float) -> bool:
        """Whether it died five times within the last minute."""
        return len(self._deaths) == DEATHS and now - self._deaths[0] < WINDOW_SECONDS


def _how(code: int) -> str:
    if code >= 0:
        return f"exit status {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
