"""Wraps a command in bubblewrap: namespaces, mounts, no capabilities, and a filter of system calls."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from shared.errors import SandboxFailed
from workers.attempts.sandbox import seccomp, system, toolchains
from workers.attempts.sandbox.bounds import Bounds, Confined
from workers.attempts.sandbox.mounts import MountTable
from workers.shim.spawn import GATE_FD, SECCOMP_FD, STATUS_FD

SCRATCH = ("/tmp", "/var/tmp", "/run", "/dev/shm")  # noqa: S108 - the agent's own, empty
GIT_READ_ONLY = ("config", "hooks", "info", "objects/info", "commondir")
GIT_READ_ONLY_IF_THERE = ("config.worktree", "gitdir")
ORDINARY_ID = "1000"
HELP_SECONDS = 10


def confine(argv: Sequence[str], bounds: Bounds) -> Confined:
    """`argv` so that it runs within `bounds`; nothing is started or created.

    Raises SandboxFailed when bubblewrap is missing, or a part of the bounds that must exist does not.
    """
    options = _options()
    is_root = os.geteuid() == 0
    wrapped = [_program(), "--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-uts"]
    wrapped += ["--unshare-cgroup-try", "--die-with-parent", "--cap-drop", "ALL", "--hostname", "sandbox"]
    if is_root:
        wrapped += ["--uid", ORDINARY_ID, "--gid", ORDINARY_ID]  # agents refuse to work as root
    elif "--disable-userns" in options:
        wrapped.append("--disable-userns")
    if not bounds.pty:
        wrapped.append("--new-session")  # with a terminal the filter refuses what this is for
    if bounds.network != "shared":
        wrapped.append("--unshare-net")
    if bounds.network == "proxied":
        wrapped += ["--block-fd", GATE_FD]
    table = _table(bounds)
    wrapped += ["--proc", "/proc", "--dev", "/dev"]
    for mount in table.ordered():
        wrapped += mount.arguments("--size" in options)
    wrapped += ["--remount-ro", "/", "--chdir", str(bounds.cwd)]
    wrapped += ["--seccomp", SECCOMP_FD, "--json-status-fd", STATUS_FD, "--"]
    limiter = _process_limiter(bounds) if not is_root else []
    return Confined(
        argv=[*wrapped, *limiter, *argv],
        seccomp=seccomp.program(),
        environment={**bounds.environment, "HOME": str(bounds.home), "TMPDIR": SCRATCH[0]},
    )


def _program() -> str:
    found = shutil.which("bwrap")
    if found is None:
        raise SandboxFailed("bubblewrap is not installed: there is no program bwrap on PATH.")
    return found


@functools.cache
def _options() -> frozenset[str]:
    """The options this bubblewrap knows; releases from 0.6 on are in use."""
    done = subprocess.run(  # noqa: S603
        [_program(), "--help"],
        capture_output=True,
        timeout=HELP_SECONDS,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return frozenset(
        word for word in (done.stdout + done.stderr).decode(errors="replace").split() if word[:2] == "--"
    )


def _table(bounds: Bounds) -> MountTable:
    table = MountTable()
    for path in system.folders():
        if path.is_symlink():
            table.link(path, os.readlink(path))
        else:
            table.read_only(path)
    for name in SCRATCH:
        table.empty(Path(name), bounds.limits.scratch_bytes)
    if bounds.network == "shared" and (resolver := system.resolver()):
        table.read_only(resolver)
    _add_home(table, bounds)
    for path in bounds.objects_read_only:
        for place in _names(path):
            table.read_only(place)
    for path in bounds.read_only:
        table.read_only(path, required=False)
    for source, target in bounds.agent_home:
        table.writable(_existing(source, "The agent's home"), target)
    for source, target in bounds.agent_home_read_only:
        table.mount_read_only(
            _existing(source, "A part of the agent's home that it must not replace"), target
        )
    if bounds.git_mount:
        _add_git_mount(table, *bounds.git_mount)
    _add_worktree(table, bounds.worktree)
    for path in bounds.hidden:
        table.hide(path)
    for path in system.secrets():
        table.hide(path)
    return table


def _add_worktree(table: MountTable, worktree: Path) -> None:
    gitfile = worktree / ".git"
    protected = gitfile.is_file() and not gitfile.is_symlink()
    for place in _names(worktree):
        table.writable(_existing(worktree, "The worktree"), place)
        if protected:  # else the agent could point git, ours too, at a directory of its own
            table.mount_read_only(gitfile, place / ".git")


def _names(path: Path) -> tuple[Path, ...]:
    """The name that was given, and the real one where it differs: git writes the latter into its files."""
    return tuple(dict.fromkeys((path, Path(os.path.realpath(path)))))


def _add_home(table: MountTable, bounds: Bounds) -> None:
    home = bounds.home
    if home == Path("/") or not home.is_absolute():
        return
    table.empty(home, bounds.limits.scratch_bytes)
    for path in toolchains.below(home, bounds.environment.get("PATH", "")):
        table.read_only(path, required=False)
    for path in toolchains.secrets(home):
        table.hide(path)


def _add_git_mount(table: MountTable, private: Path, inside: Path) -> None:
    table.writable(_existing(private, "The agent's git directory"), inside)
    optional = [name for name in GIT_READ_ONLY_IF_THERE if (private / name).exists()]
    for name in (*GIT_READ_ONLY, *optional):
        _existing(private / name, "A part of the agent's git directory that it must not replace")
        table.mount_read_only(private / name, inside / name)


def _existing(path: Path, what: str) -> Path:
    if not path.exists():
        raise SandboxFailed(f"{what} does not exist: {path}.")
    return path


def _process_limiter(bounds: Bounds) -> list[str]:
    """Inside the sandbox the limit counts its own processes only; outside it would count the user's desktop."""
    found = shutil.which("prlimit", path="/usr/bin:/bin")
    return [found, f"--nproc={bounds.limits.processes}", "--"] if found else []
