"""Writes an attempt's log: redacted before the first byte is on disk, bounded, never holding the agent up."""

from __future__ import annotations

import errno
import json
import os
import time
from collections import deque
from collections.abc import Mapping

from shared.secrets.redaction import Redactor
from workers.shim.frames import NOTE, STDERR, STDIN, STDOUT, header

HEAD_BYTES = 64 << 20
TAIL_BYTES = 4 << 20
ALWAYS_BYTES = 32 << 20  # room behind the head for notes and input, which never wait for the end
PIECE_BYTES = 1 << 18
LAST_BYTES = 512


class Recorder:
    """The log of one attempt. Output beyond `head_bytes` only leaves its last `tail_bytes`, written at the end.

    `size_bytes` is the log's length, `seen` what the agent wrote and `dropped` what the log lacks, by stream;
    `failed` is why the log takes no more (`disk-full`, `log-failed`), or None. What cannot be written is dropped
    and counted; the log always ends behind a whole frame.
    """

    def __init__(
        self,
        secrets: Mapping[str, str],
        *,
        rules: bool,
        head_bytes: int = HEAD_BYTES,
        tail_bytes: int = TAIL_BYTES,
    ) -> None:
        self._file = -1
        self._redactors = {stream: Redactor(secrets, rules=rules) for stream in (STDIN, STDOUT, STDERR)}
        self._head_bytes, self._tail_bytes = head_bytes, tail_bytes
        self._tail: deque[tuple[int, int, bytes]] = deque()
        self._in_tail = 0
        self._capped = False
        self.size_bytes = 0
        self.seen = {STDOUT: 0, STDERR: 0}
        self.dropped = {STDOUT: 0, STDERR: 0}
        self.failed: str | None = None
        self.last = b""  # the end of what was shown last, for recognising a prompt

    def open(self, path: str) -> None:
        """Create the log, or go on behind what is in it. Apart, because its being there has a meaning."""
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.size_bytes = os.fstat(self._file).st_size

    @property
    def held(self) -> int:
        """Bytes of unterminated lines that are not in the log yet."""
        return self._redactors[STDOUT].held + self._redactors[STDERR].held

    def output(self, stream: int, data: bytes) -> bool:
        """Take what the agent wrote; whether any of it went on."""
        self.seen[stream] += len(data)
        return self._output(stream, self._redactors[stream].feed(data))

    def input(self, data: bytes) -> None:
        """Record what was written to the agent; one call is one whole input."""
        redactor = self._redactors[STDIN]
        self._always(STDIN, redactor.feed(data) + redactor.flush(final=True))

    def note(self, name: str, **fields: object) -> None:
        """Record what happened, as a frame of JSON with the key `note`."""
        self._always(NOTE, json.dumps({"note": name, **fields}).encode())

    def redacted(self, data: bytes) -> str:
        """Bytes of the agent's as text that may be stored elsewhere."""
        return self._redactors[STDERR].redact(data.decode(errors="replace"))

    def flush(self, *, final: bool = False) -> None:
        """Let unterminated lines go: after a quiet moment, or at the end."""
        for stream in (STDOUT, STDERR):
            self._output(stream, self._redactors[stream].flush(final=final))

    def close(self) -> None:
        """Write what the log still lacks, and make it durable."""
        self.flush(final=True)
        if any(self.dropped.values()):
            named = {"stdout": self.dropped[STDOUT], "stderr": self.dropped[STDERR]}
            self.note("dropped", bytes=sum(named.values()), **named)
        for stream, time_us, data in self._tail:
            self._write(stream, time_us, data)
        self._tail.clear()
        try:
            os.fsync(self._file)
        except OSError as error:
            self._fail(error)
        os.close(self._file)

    def _output(self, stream: int, data: bytes) -> bool:
        if not data:
            return False
        self.last = (self.last + data)[-LAST_BYTES:] if len(data) < LAST_BYTES else data[-LAST_BYTES:]
        now = _now_us()
        for at in range(0, len(data), PIECE_BYTES):
            piece = data[at : at + PIECE_BYTES]
            room = 0 if self._capped else max(0, self._head_bytes - self.size_bytes)
            if room:
                self._write(stream, now, piece[:room])
            if len(piece) > room:
                self._keep(stream, now, piece[room:])
        return True

    def _keep(self, stream: int, time_us: int, data: bytes) -> None:
        if not self._capped:
            self._capped = True
            self.note("capped", head_bytes=self._head_bytes, tail_bytes=self._tail_bytes)
        self._tail.append((stream, time_us, data))
        self._in_tail += len(data)
        while self._in_tail > self._tail_bytes:
            oldest, oldest_us, kept = self._tail.popleft()
            surplus = min(len(kept), self._in_tail - self._tail_bytes)
            self._in_tail -= surplus
            self.dropped[oldest] += surplus
            if surplus < len(kept):
                self._tail.appendleft((oldest, oldest_us, kept[surplus:]))

    def _always(self, stream: int, data: bytes) -> None:
        if self.size_bytes + len(data) <= self._head_bytes + ALWAYS_BYTES:
            for at in range(0, len(data), PIECE_BYTES):
                self._write(stream, _now_us(), data[at : at + PIECE_BYTES])

    def _write(self, stream: int, time_us: int, data: bytes) -> None:
        if self.failed:
            if stream in self.dropped:
                self.dropped[stream] += len(data)
            return
        head = header(stream, time_us, len(data))
        total = len(head) + len(data)
        try:
            written = os.writev(self._file, (head, data))
            while written < total:
                written += os.write(self._file, (head + data)[written:])
        except OSError as error:
            self._fail(error)
            if stream in self.dropped:
                self.dropped[stream] += len(data)
            return
        self.size_bytes += total

    def _fail(self, error: OSError) -> None:
        self.failed = "disk-full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "log-failed"
        os.ftruncate(self._file, self.size_bytes)


def _now_us() -> int:
    return time.time_ns() // 1000
