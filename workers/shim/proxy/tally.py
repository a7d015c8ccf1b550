"""Counts what agents reached and were refused, and tells it seldom: once at first, then ever less often."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from threading import Lock

FIRST_SECONDS, LONGEST_SECONDS = 1.0, 900.0
MAX_KINDS = 200
MAX_NAME_CHARS = 260


class _Kind:
    __slots__ = ("count", "due", "pause", "why")

    def __init__(self) -> None:
        self.count, self.due, self.pause, self.why = 0, 0.0, FIRST_SECONDS, ""


class Tally:
    """Reports as lines of JSON on a pipe: {"host", "port", "verdict": "allowed" | "refused" | "failed", "count", "why"}.

    Used by many threads. A report the reader has no room for is kept for the next time.
    """

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._lock = Lock()
        self._kinds: dict[tuple[str, int, str], _Kind] = {}

    def count(self, verdict: str, host: str, port: int, why: str = "") -> None:
        with self._lock:
            key = (host[:MAX_NAME_CHARS], port, verdict)
            if key not in self._kinds and len(self._kinds) >= MAX_KINDS:
                key = ("", 0, verdict)  # further hosts, together
            kind = self._kinds.setdefault(key, _Kind())
            kind.count += 1
            kind.why = why
            self._tell(key, kind, time.monotonic())

    def tell(self, *, all_of_it: bool = False) -> None:
        """Report what is due."""
        with self._lock:
            for key, kind in self._kinds.items():
                self._tell(key, kind, float("inf") if all_of_it else time.monotonic())

    def _tell(self, key: tuple[str, int, str], kind: _Kind, now: float) -> None:
        if not kind.count or now < kind.due:
            return
        host, port, verdict = key
        line = json.dumps(
            {"host": host, "port": port, "verdict": verdict, "count": kind.count, "why": kind.why}
        )
        with suppress(OSError):
            os.write(self._pipe, line.encode() + b"\n")  # shorter than PIPE_BUF: whole or not at all
            kind.count = 0
            kind.due = now + kind.pause
            kind.pause = min(2 * kind.pause, LONGEST_SECONDS)
