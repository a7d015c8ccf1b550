"""The exit record: how an attempt ended, written once, whole, and even when the disk is full."""

from __future__ import annotations

import json
import os
import time

from workers.shim import spawn
from workers.shim.ending import KILL
from workers.shim.frames import PROTOCOL, STDERR, STDOUT

TYPE_CHECKING = False  # checkers read it as true; importing typing for it would cost every shim 3 ms
if TYPE_CHECKING:
    from typing import Any

    from workers.shim.loop import Shim

NAME = "exit.json"
_DRAFT = "exit.json.tmp"
_ROOM_BYTES = 4096
_MAX_REASON_CHARS = 1000
_CANNOT_EXECUTE = ("bwrap: execvp ", "prlimit: failed to execute ")


def reserve() -> None:
    """Take the room the record will need while there is some."""
    draft = os.open(_DRAFT, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(draft, b" " * _ROOM_BYTES)
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(draft, 0, _ROOM_BYTES)
    finally:
        os.close(draft)


def write(record: dict[str, Any]) -> None:
    """Make the record durable, in the reserved room."""
    data = json.dumps(record).encode()
    draft = os.open(_DRAFT, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.pwrite(draft, data, 0)
    os.ftruncate(draft, len(data))
    os.fsync(draft)
    os.close(draft)
    os.rename(_DRAFT, NAME)


def of(shim: Shim, first_errors: bytes) -> dict[str, Any]:
    """The record of an attempt that is over. `first_errors` is how its stderr began."""
    code, number = _ending(shim)
    exec_error, sandbox_error = shim.exec_error, shim.sandbox_problem
    if spawn.is_wrapped(shim.launch) and exec_error is None and shim.reason is None:
        said = shim.recorder.redacted(first_errors).strip()[:_MAX_REASON_CHARS]
        if code and said.startswith(_CANNOT_EXECUTE):
            code, exec_error = None, said
        elif not shim.ran:
            code = number = None
            sandbox_error = (
                shim.sandbox_problem or said or "bubblewrap ended without a word before the command ran"
            )
    recorder, family = shim.recorder, shim.family
    return {
        "protocol": PROTOCOL,
        "code": code,
        "signal": number,
        "reason": shim.reason,
        "exec_error": exec_error,
        "sandbox_error": sandbox_error,
        "stragglers": shim.stragglers,
        "stdout_bytes": recorder.seen[STDOUT],
        "stderr_bytes": recorder.seen[STDERR],
        "dropped_bytes": sum(recorder.dropped.values()),
        "started_at_us": shim.started_us,
        "ended_at_us": time.time_ns() // 1000,
        "runtime_millis": round(shim.clock.worked_seconds * 1000),
        "cpu_seconds": round(family.cpu_seconds, 3),
        "max_rss_bytes": family.max_rss_bytes,
    }


def _ending(shim: Shim) -> tuple[int | None, int | None]:
    """(exit code, signal) of the agent: one of them, or neither when it never ran."""
    if shim.family.was_killed:
        return None, KILL  # whatever the sandbox, dying in the same moment, says of it
    if shim.exit_code is not None:
        return shim.exit_code, None
    if shim.family.status is None:
        return None, None
    code = os.waitstatus_to_exitcode(shim.family.status)
    return (code, None) if code >= 0 else (None, -code)
