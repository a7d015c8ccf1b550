"""Processes the suite started and did not end: found by descent, and by the suite's temporary folder in their environment."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil


def has_children() -> bool:
    """Whether this process has any child; cheap where the kernel lists them (Linux), else assumes so."""
    try:
        return any(path.read_bytes() for path in Path("/proc/self/task").glob("*/children"))
    except OSError:
        return True


def descendants() -> set[int]:
    """Pids of every live descendant of this process."""
    if not has_children():
        return set()
    return {process.pid for process in psutil.Process().children(recursive=True)}


def carrying(folder: Path) -> set[int]:
    """Pids of processes whose environment or working folder lies in `folder`, orphans included."""
    needle, found = os.fsencode(f"{folder}/"), set()  # with the slash: pytest-1 is not pytest-12
    for name in os.listdir("/proc") if os.path.isdir("/proc/self") else []:
        if not name.isdigit() or int(name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            environment = Path("/proc", name, "environ").read_bytes()
            if needle in environment or os.fsencode(os.readlink(f"/proc/{name}/cwd")).startswith(needle):
                found.add(int(name))
    return found


def alive(pids: set[int]) -> set[int]:
    """Those that still run; a zombie is dead."""
    running = set()
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                running.add(pid)
    return running


def left_after(seconds: float, look: Callable[[], set[int]]) -> set[int]:
    """What `look` still finds alive once `seconds` have passed; returns at once when nothing is."""
    until = time.monotonic() + seconds
    while (left := alive(look())) and time.monotonic() < until:
        time.sleep(0.02)
    return left


def describe(pid: int) -> str:
    """One line about a process, for a failure message."""
    with contextlib.suppress(psutil.Error):
        return f"{pid}: {' '.join(psutil.Process(pid).cmdline())[:200]}"
    return f"{pid}: gone"


def end(pids: set[int]) -> None:
    """Kill what a test left, so that one failure does not become many."""
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    until = time.monotonic() + 2
    while alive(pids) and time.monotonic() < until:
        time.sleep(0.01)
