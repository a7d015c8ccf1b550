"""Ends a process when the one that started it is gone, even by SIGKILL; as a program, sets that up and becomes another.

Run by its path with nothing but the standard library: `python -I -S leash.py PARENT_PID PROGRAM ARG…`.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

PR_SET_PDEATHSIG = 1
PARENT = "OPENRUNTIME_PARENT"
LOOK_SECONDS = 1.0


def tie(parent: int) -> None:
    """Have the kernel send us SIGTERM when `parent` dies; survives exec. Only Linux can."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it died before we asked
        sys.exit(1)


def watch_parent() -> None:
    """Where the kernel cannot, look whether the process named by OPENRUNTIME_PARENT is still our parent."""
    parent = os.environ.get(PARENT, "")
    if sys.platform != "linux" and parent.isdigit():
        threading.Thread(target=end_with, args=(int(parent),), daemon=True, name="leash").start()


def end_with(parent: int) -> None:
    """Send ourselves SIGTERM once our parent is another than `parent`."""
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    tie(int(sys.argv[1]))
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and exec would pass that on
    try:
        os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606  (no shell is the point)
    except OSError as error:
        sys.exit(f"Cannot start {sys.argv[2]}: {error.strerror}.")


if __name__ == "__main__":
    main()
