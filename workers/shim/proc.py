"""What the kernel says about processes, and signals that reach the process that was meant, never its successor."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator

Process = tuple[
    int, int
]  # pid and start time; together they name one process for as long as the machine runs
BOOT_ID = "/proc/sys/kernel/random/boot_id"


def boot_id() -> str:
    """Changes at every boot of the machine; empty where the kernel has none."""
    try:
        with open(BOOT_ID) as file:
            return file.read().strip()
    except OSError:
        return ""


def sync_folder(path: str = ".") -> None:
    """Make the names in a folder durable."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def stat(pid: int) -> tuple[str, int, int] | None:
    """(state letter, parent's pid, start time in clock ticks since boot), or None for a process that is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rsplit(b")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return fields[0].decode(), int(fields[1]), int(fields[19])


def start_time(pid: int) -> int:
    """When the process started, in clock ticks since boot; 0 when it is gone."""
    found = stat(pid)
    return found[2] if found else 0


def pids() -> Iterator[int]:
    """Every process this one can see."""
    try:
        names = os.listdir("/proc")
    except OSError:
        return
    for name in names:
        if name.isdigit():
            yield int(name)


def descendants(roots: Iterable[int]) -> list[Process]:
    """Everything alive below `roots`, parents first, from one pass over all processes."""
    children: dict[int, list[Process]] = {}
    for pid in pids():
        found = stat(pid)
        if found and found[0] not in "ZX":
            children.setdefault(found[1], []).append((pid, found[2]))
        elif found:
            children.setdefault(found[1], []).append(
                (-pid, found[2])
            )  # a zombie: not alive, its children may be
    below: list[Process] = []
    queue = list(roots)
    while queue:
        for pid, started in children.get(queue.pop(0), ()):
            queue.append(abs(pid))
            if pid > 0:
                below.append((pid, started))
    return below


def tree(root: int, limit: int = 256) -> list[int]:
    """Pids below `root` by the kernel's own lists of children: cheap, but may miss one that is just starting."""
    below: list[int] = []
    queue = [root]
    while queue and len(below) < limit:
        pid = queue.pop(0)
        for child in _children(pid):
            below.append(child)
            queue.append(child)
    return below


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return found
    for thread in threads:
        try:
            with open(f"/proc/{pid}/task/{thread}/children") as file:
                found += map(int, file.read().split())
        except OSError:
            continue
    return found


def carriers(name: str, value: str) -> list[Process]:
    """This user's processes that were started with `name=value` in their environment."""
    needle = os.fsencode(f"{name}={value}")
    found: list[Process] = []
    for pid in pids():
        if pid == os.getpid():
            continue
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                environment = file.read()
        except OSError:
            continue
        if needle in environment.split(b"\0") and (seen := stat(pid)) and seen[0] not in "ZX":
            found.append((pid, seen[2]))
    return found


def send(process: Process, number: int) -> bool:
    """Signal exactly this process; False when it is gone, or its pid belongs to another one by now."""
    pid, started = process
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    except (AttributeError, OSError):  # a kernel or a platform without pidfd
        return start_time(pid) == started and _kill(pid, number)
    try:
        if start_time(pid) != started:
            return False
        signal.pidfd_send_signal(handle, number)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def _kill(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except OSError:
        return False
    return True
