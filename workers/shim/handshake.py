"""The start of a shim: takes the attempt's lock, says who it is, waits for go, and runs the loop.

Its input is the leash: one line of JSON, the launch, then `go`. Its output is its report: one line of JSON with
its identity, then one that says how the start went. The launch holds secrets, so it comes by the leash and never
stands in a file. If the leash ends before go, nothing was started and starting again is safe; after go the shim
needs nobody.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import sys
import time

from workers.shim import frames, proc

HELD, LOST = 75, 76  # exit codes: another shim holds the lock; the attempt has run before and was lost
LOCK_SECONDS = 0.5  # somebody who only looks holds the lock for microseconds
GO_SECONDS = 60.0
MAX_LAUNCH_BYTES = 128 << 20


def main(directory: str) -> int:
    """Run one attempt; returns the exit code of the process, 0 also when the attempt has ended before."""
    os.umask(0o077)
    os.chdir(directory)
    lock = _take_lock()
    if lock is None:
        return HELD
    if os.path.exists("exit.json"):
        return 0
    if os.path.exists("log"):
        return LOST
    if os.fork():
        os._exit(0)  # so that the shim is nobody's child, and no worker has to wait for it
    line, rest = _read_line(b"")
    if not line:
        return 0
    launch = json.loads(line)
    sys.path += launch["library_paths"]
    identity = {
        "protocol": frames.PROTOCOL,
        "shim_pid": os.getpid(),
        "shim_start": proc.start_time(os.getpid()),
        "boot_id": proc.boot_id(),
    }
    _write_durably("identity.json", json.dumps(identity).encode())
    _report({"identity": identity})
    from workers.shim.loop import Shim  # while the starter commits: this is most of the start-up time

    shim = Shim(launch, lock, _report_start)
    if _read_line(rest)[0] != b"go":
        return 0
    _point_at_nothing(0)
    shim.run()
    return 0


def _take_lock() -> int | None:
    lock = os.open("lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    until = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except OSError:
            if time.monotonic() > until:
                return None
            time.sleep(0.02)


def _read_line(buffered: bytes) -> tuple[bytes, bytes]:
    """The next line of the leash and what came behind it; empty when it ended, or nothing came for a minute."""
    pieces = [buffered]
    size = len(buffered)
    while b"\n" not in pieces[-1]:
        if not select.select([0], [], [], GO_SECONDS)[0]:
            return b"", b""
        data = os.read(0, 1 << 16)
        size += len(data)
        if not data or size > MAX_LAUNCH_BYTES:
            return b"", b""
        pieces.append(data)
    line, _, rest = b"".join(pieces).partition(b"\n")
    return line, rest


def _report(message: dict[str, object]) -> None:
    try:  # noqa: SIM105 - contextlib is not loaded yet, and identity must come soon
        os.write(1, json.dumps(message).encode() + b"\n")
    except OSError:
        pass  # the starter is gone; after go that changes nothing


def _report_start(message: dict[str, object]) -> None:
    _report(message)
    _point_at_nothing(1)


def _point_at_nothing(descriptor: int) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, descriptor)
    os.close(nothing)


def _write_durably(name: str, data: bytes) -> None:
    draft = os.open(f"{name}.tmp", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(draft, data)
        os.fsync(draft)
    finally:
        os.close(draft)
    os.rename(f"{name}.tmp", name)
