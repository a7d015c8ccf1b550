"""Mutual exclusion between the threads and processes of this host, by a fixed set of lock files."""

from __future__ import annotations

import fcntl
import os
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import Unavailable
from workers.repository import time_limit

SLOTS = 256  # a bounded number of files; two keys in one slot only wait for each other
POLL_SECONDS = 0.02


@contextmanager
def held(folder: Path, key: str, *, timeout_seconds: float = 60) -> Iterator[int]:
    """Hold the lock of `key` under `folder`; yields its descriptor, which a child may inherit to keep it.

    Not reentrant. Raises Unavailable when another holder keeps it for longer than `timeout_seconds`.
    """
    slots = folder / ".locks"
    slots.mkdir(parents=True, exist_ok=True)
    number = zlib.crc32(os.fsencode(key)) % SLOTS
    descriptor = os.open(slots / f"{number:02x}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + time_limit.shortened(timeout_seconds)
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Unavailable("Another operation on this repository is still under way.") from None
                time.sleep(POLL_SECONDS)
        yield descriptor
    finally:
        os.close(descriptor)
