"""How much an attempt may take of its host: what the kernel refuses outright, and what the shim watches."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from shared.policy import DEFAULT_PROCESSES, Policy

MEBIBYTE = 1 << 20
#: Of the machine's memory, where the policy sets no limit: what is left lets its person stop the agent.
DEFAULT_MEMORY_SHARE = 0.75


@dataclass(frozen=True)
class Limits:
    """Per attempt. `file_bytes` is the longest file it can write, `scratch_bytes` the size of its /tmp.

    `memory_bytes` counts what its processes have for themselves, not what they share with others.
    """

    processes: int = DEFAULT_PROCESSES
    memory_bytes: int | None = None
    open_files: int = 65_536
    file_bytes: int = 16 << 30
    scratch_bytes: int = 4 << 30

    def refused(self, tier: str) -> Mapping[str, int]:
        """Resource limits by their name without RLIMIT_; they bind an ordinary user, some of them not root.

        In bubblewrap the number of processes is limited inside, where none but the agent's are counted; elsewhere
        the kernel counts all of the user's, so what runs already comes on top.
        """
        found = {"NOFILE": self.open_files, "FSIZE": self.file_bytes, "CORE": 0}
        return found if tier == "bubblewrap" else {**found, "NPROC": _running() + self.processes}

    def watched(self) -> Mapping[str, int]:
        """What the shim stops the agent for, by the policy's field: {field: how much}."""
        found = {"max_processes": self.processes}
        return (
            found if self.memory_bytes is None else {**found, "max_memory_mib": self.memory_bytes // MEBIBYTE}
        )


def of(policy: Policy) -> Limits:
    """The limits a policy sets, or those that keep a host usable."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    memory = policy.max_memory_mib * MEBIBYTE if policy.max_memory_mib else int(whole * DEFAULT_MEMORY_SHARE)
    return Limits(policy.max_processes or DEFAULT_PROCESSES, memory)


def _running() -> int:
    """The threads of this user, which the kernel's limit counts."""
    count = 0
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        try:
            if name.isdigit() and os.stat(f"/proc/{name}").st_uid == os.getuid():
                count += len(os.listdir(f"/proc/{name}/task"))
        except OSError:
            continue
    return count
