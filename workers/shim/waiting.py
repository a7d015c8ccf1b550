"""Tells whether an agent waits for input: seen in the kernel, or guessed from a prompt and silence."""

from __future__ import annotations

import os
import re
import stat

from workers.shim import proc

READ, POLL = "read", "poll"
_CALLS = {
    "x86_64": (
        {0, 19},
        {7, 23, 232, 270, 271, 281, 441},
    ),  # read readv · poll select epoll_wait pselect6 ppoll …
    "aarch64": ({63, 65}, {22, 72, 73, 441}),
}
_MAX_THREADS = 16
_TTY = os.makedev(5, 0)
PROMPT = re.compile(
    rb"(?i)(?:needs input|waiting for input|approval required|requires approval|permission required"
    rb"|requires permission|waiting for permission|do you want to proceed|(?:continue|proceed|sure|overwrite)\?"
    rb"|[\[(](?:y/n|yes/no|y/n/\w+)[\])]|(?:password|passphrase|passcode)(?: for [^\n]*)?"
    rb"|press (?:any key|enter|return)[^\n]{0,40})[\s:?>.\])]*$"
)
_UNFINISHED = re.compile(rb"[^\s][?:>]\s?$")


def blocked(root: int, input_identity: tuple[int, int], pty: bool) -> str | None:
    """What the processes below `root` do: READ when one is in read(2) on the agent's input, POLL when one waits for
    events (of which input may be one) or cannot be looked into, None when none of them can be waiting for it.
    """
    calls = _CALLS.get(os.uname().machine)
    if calls is None:
        return POLL
    found = None
    for pid in proc.tree(root):
        for call, first in _system_calls(pid):
            if call in calls[0] and _is_input(pid, first, input_identity, pty):
                return READ
            if call in calls[1] or call < 0:
                found = POLL
    return found


def is_prompt(last: bytes) -> bool:
    """Whether output that ends in `last` (512 bytes are enough) looks like a question to a person."""
    line = last.rstrip(b"\r\n").rpartition(b"\n")[2].rpartition(b"\r")[2]
    unfinished = not last.endswith(b"\n") and _UNFINISHED.search(line)
    return bool(unfinished or PROMPT.search(line))


def _system_calls(pid: int) -> list[tuple[int, int]]:
    """(number, first argument) of the call each thread is in; -1 for one that cannot be seen, none while it runs."""
    found: list[tuple[int, int]] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")[:_MAX_THREADS]
    except OSError:
        return found
    for thread in threads:
        try:
            with open(f"/proc/{pid}/task/{thread}/syscall") as file:
                words = file.read().split()
        except PermissionError:
            found.append((-1, 0))
            continue
        except OSError:
            continue
        if len(words) > 1 and words[0] != "running":
            found.append((int(words[0]), int(words[1], 16)))
    return found


def _is_input(pid: int, descriptor: int, identity: tuple[int, int], pty: bool) -> bool:
    try:
        found = os.stat(f"/proc/{pid}/fd/{descriptor & 0xFFFFFFFF}")
    except OSError:
        return False
    if (found.st_dev, found.st_ino) == identity:
        return True
    return pty and stat.S_ISCHR(found.st_mode) and found.st_rdev == _TTY
