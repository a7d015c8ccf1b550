"""What an agent's processes use together, looked at now and then; over a limit it is ended at once.

Sampled, because no user may set up a group that the kernel would count: a burst between two looks is not seen.
"""

from __future__ import annotations

import os

from workers.shim import proc

TYPE_CHECKING = False  # checkers read it as true; importing typing for it would cost every shim 3 ms
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

LOOK_SECONDS = 2.0
PROCESSES, MEMORY = "max_processes", "max_memory_mib"
#: Why an attempt was stopped, by the field of the policy.
REASONS = {PROCESSES: "processes-exceeded", MEMORY: "memory-exceeded"}


def over(limits: Mapping[str, int], *, own: Collection[int]) -> tuple[str, int] | None:
    """The field whose limit is exceeded and how much is used, in the field's unit; `own` pids do not count."""
    most = limits.get(PROCESSES)
    members = [pid for pid in proc.tree(os.getpid(), limit=(most or 4096) + len(own) + 1) if pid not in own]
    if most is not None and len(members) > most:
        return PROCESSES, len(members)
    memory = limits.get(MEMORY)
    if memory is not None and (used := private_bytes(members) >> 20) > memory:
        return MEMORY, used
    return None


def private_bytes(pids: Collection[int]) -> int:
    """Memory these processes have for themselves: resident, without what is shared with others."""
    page = os.sysconf("SC_PAGE_SIZE")
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/statm") as file:
                fields = file.read().split()
        except OSError:
            continue
        total += (int(fields[1]) - int(fields[2])) * page
    return total
