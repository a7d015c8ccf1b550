"""Become an ordinary user and set a fork bomb off in a tier of containment: prints how many processes it got.

Then whether what it wrote beside its worktree is there, `outside`, or not, `held`.

    python ordinary_user.py TIER
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys
import tempfile
from pathlib import Path

from workers.attempts import sandbox
from workers.attempts.sandbox import Bounds, Limits
from workers.shim import landlock
from workers.shim.spawn import SECCOMP_FD, STATUS_FD

NOBODY = 65534
PR_SET_DUMPABLE = 4  # a change of user had taken our own /proc from us
MOST = 40
BOMB = """
import os, sys, time
count = 0
try:
    while count < 300:
        if os.fork() == 0: time.sleep(30); os._exit(0)
        count += 1
except BlockingIOError: pass
open("inside", "w").close()
try: open(sys.argv[1], "w").close()
except OSError: pass
print(count, flush=True)
os.kill(0, 9)
"""


def become_nobody() -> None:
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)


def main(tier: str) -> None:
    become_nobody()
    with tempfile.TemporaryDirectory(prefix="or-nobody-") as folder:
        places = [Path(folder, name) for name in ("worktree", "home", "scratch")]
        for place in places:
            place.mkdir()
        worktree, home, scratch = places
        limits = Limits(processes=MOST)
        bounds = Bounds(worktree, worktree, home, scratch=scratch, limits=limits)
        outside = Path(folder, "outside")
        confined = sandbox.confine(["/usr/bin/python3", "-c", BOMB, str(outside)], bounds, tier)
        child = os.fork()
        if child == 0:
            os.setsid()
            os.chdir(worktree)
            most = limits.refused(tier).get("NPROC")
            if most is not None:
                resource.setrlimit(resource.RLIMIT_NPROC, (most, most))
            run(confined, tier)
        os.waitpid(child, 0)
        assert (worktree / "inside").exists()
        print("outside" if outside.exists() else "held", flush=True)


def run(confined: sandbox.Confined, tier: str) -> None:
    environment = {"PATH": "/usr/bin:/bin", **confined.environment}
    if tier == "landlock":
        assert confined.landlock is not None
        landlock.enter_as_told(confined.landlock, confined.seccomp)
        os.execve(confined.argv[0], list(confined.argv), environment)
    program, status = os.memfd_create("seccomp", 0), os.open(os.devnull, os.O_WRONLY)
    os.write(program, confined.seccomp)
    os.lseek(program, 0, os.SEEK_SET)
    os.set_inheritable(status, True)
    named = {SECCOMP_FD: str(program), STATUS_FD: str(status)}
    os.execve(confined.argv[0], [named.get(word, word) for word in confined.argv], environment)


if __name__ == "__main__":
    main(sys.argv[1])
