"""Finds out what containment works here by building the real thing once, never from versions."""

from __future__ import annotations

import functools
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from shared.config import APP
from shared.errors import SandboxFailed
from workers.attempts.sandbox import landlock as landlock_tier
from workers.attempts.sandbox.bounds import Bounds, Tier
from workers.attempts.sandbox.bubblewrap import confine
from workers.shim import landlock
from workers.shim.spawn import SECCOMP_FD, STATUS_FD

PROBE_SECONDS = 15
INSTALL = (
    "sudo apt install bubblewrap   # Debian, Ubuntu; elsewhere: dnf, pacman, zypper or apk install bubblewrap",
)
#: Ubuntu 24.04 forbids user namespaces to programs without an AppArmor profile; 25.04 ships this one enabled.
APPARMOR = (
    "sudo apt install bubblewrap apparmor-profiles apparmor-utils",
    "sudo install -m0644 /usr/share/apparmor/extra-profiles/bwrap-userns-restrict /etc/apparmor.d/",
    "sudo apparmor_parser -r /etc/apparmor.d/bwrap-userns-restrict",
)
SYSCTL = ("sudo sysctl -w kernel.unprivileged_userns_clone=1 user.max_user_namespaces=15000",)
#: Restricts a process of its own, since this one has threads and must stay free, and becomes the command.
ENTER = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
from workers.shim import landlock
told, seccomp, argv = json.load(sys.stdin)
landlock.enter_as_told(told, bytes.fromhex(seccomp))
os.execv(argv[0], argv)
"""
APPARMOR_SWITCH = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")


@functools.cache
def tier(wanted: str = "auto") -> Tier:
    """The containment of this host, probed once a process: the best there is, or the one that is `wanted`.

    `tier.cache_clear()` makes the next call probe again.
    """
    if wanted == "none":
        return Tier("none", False, "OPENRUNTIME_CONTAINMENT switches it off.")
    found = _landlock() if wanted == "landlock" else _bubblewrap()
    if found.works or wanted != "auto":
        return found
    second = _landlock()
    return replace(second if second.works else found, detail=f"{found.detail} {second.detail}", fix=found.fix)


def _bubblewrap() -> Tier:
    try:
        said = _try_bubblewrap()
    except SandboxFailed as error:
        return Tier("none", False, str(error), INSTALL)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Tier("none", False, f"bubblewrap could not be tried: {error}.")
    if said is None:
        return Tier("bubblewrap", True, "bubblewrap with its own namespaces and a system call filter.")
    return Tier("none", False, f"bubblewrap does not work here: {said}.", _fix())


def _landlock() -> Tier:
    try:
        said = _try_landlock()
    except (SandboxFailed, OSError, subprocess.TimeoutExpired) as error:
        return Tier("none", False, f"Landlock cannot be used: {str(error).rstrip('.')}.")
    if said is None:
        known = landlock.version()
        return Tier("landlock", True, f"Landlock {known} with a system call filter.", landlock=known)
    return Tier("none", False, f"Landlock does not work here: {said}.")


def _try_landlock() -> str | None:
    """None when a command could write its own folder and not read the one beside it; else what was said."""
    with tempfile.TemporaryDirectory(prefix="openruntime-probe-") as folder:
        own, beside = Path(folder, "own"), Path(folder, "beside")
        own.mkdir()
        beside.write_text("not for the agent")
        words = f"cat {shlex.quote(str(beside))} 2>/dev/null && exit 8; echo made > made && exit 7"
        confined = landlock_tier.confine(["/bin/sh", "-c", words], Bounds(own, own, own, scratch=own))
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-I", "-S", "-c", ENTER, str(APP)],
            input=json.dumps([confined.landlock, confined.seccomp.hex(), confined.argv]),
            cwd=own,
            env={"PATH": os.defpath},
            text=True,
            errors="replace",
            capture_output=True,
            timeout=PROBE_SECONDS,
            check=False,
        )
    return None if done.returncode == 7 else (done.stderr.strip()[-500:] or "it let by what it must refuse")


def _try_bubblewrap() -> str | None:
    """None when a command ran contained; else what bubblewrap said."""
    with tempfile.TemporaryDirectory(prefix="openruntime-probe-") as folder:
        worktree = Path(folder)
        confined = confine(["/bin/sh", "-c", "exit 7"], Bounds(worktree, worktree, worktree / "home"))
        filter_fd = os.memfd_create("seccomp")
        readable, writable = os.pipe()
        try:
            os.write(filter_fd, confined.seccomp)
            os.lseek(filter_fd, 0, os.SEEK_SET)
            named = {SECCOMP_FD: str(filter_fd), STATUS_FD: str(writable)}
            # Killed at the wrong moment, a worker would leave a half-built sandbox that waits for ever.
            bound = shutil.which("timeout")
            done = subprocess.run(  # noqa: S603
                [
                    *([bound, "-s", "KILL", str(PROBE_SECONDS)] if bound else []),
                    *(named.get(argument, argument) for argument in confined.argv),
                ],
                pass_fds=(filter_fd, writable),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=PROBE_SECONDS + 1,
                check=False,
            )
            os.close(writable)
            writable = -1
            ran = b'"exit-code": 7' in os.read(readable, 4096)
        finally:
            for descriptor in (filter_fd, readable, writable):
                if descriptor >= 0:
                    os.close(descriptor)
    return None if ran else (done.stderr.decode(errors="replace").strip()[-500:] or "it said nothing")


def _fix() -> tuple[str, ...]:
    try:
        restricted = APPARMOR_SWITCH.read_text().strip() == "1"
    except OSError:
        restricted = False
    return APPARMOR if restricted else SYSCTL
