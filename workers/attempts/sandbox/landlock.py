"""Containment without namespaces: which files the kernel lets an agent at, which sockets, and no capability.

For hosts where bubblewrap cannot work. What it cannot do is said in docs/security.md and held by tests/security.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

from shared.errors import SandboxFailed
from workers.attempts.sandbox import seccomp, system, toolchains
from workers.attempts.sandbox.bounds import Bounds, Confined
from workers.shim.landlock import DEVICE, LIST, READ, TCP_SINCE, WRITE, version

Rule = tuple[str, str]
#: Not /dev/pts, where the person's own terminals are, nor /dev/shm, which is everybody's.
DEVICES = "/dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty /dev/ptmx".split()
#: Where the agent's git writes; configuration, hooks and packed references stay out of its reach.
GIT_WRITTEN = ("objects", "refs", "logs")
INTERNET = (socket.AF_INET, socket.AF_INET6)
TRANSPORTS = (socket.IPPROTO_TCP, socket.IPPROTO_UDP)


def confine(argv: Sequence[str], bounds: Bounds) -> Confined:
    """`argv` so that it runs within `bounds`; the shim's child restricts itself before it becomes it.

    Raises SandboxFailed where the kernel has no Landlock, or a part of the bounds that must exist does not.
    """
    if not version():
        raise SandboxFailed("This kernel has no Landlock, or it is switched off.")
    scratch = bounds.scratch
    if scratch is None:
        raise SandboxFailed("The attempt has no folder for temporary files.")
    ports = _ports(bounds)
    return Confined(
        argv=list(argv),
        seccomp=_filter(bounds, ports),
        environment={**bounds.environment, "HOME": str(bounds.home), **_places(bounds, scratch)},
        landlock={"rules": list(dict.fromkeys(_rules(bounds, scratch))), "ports": ports},
    )


def _places(bounds: Bounds, scratch: Path) -> dict[str, str]:
    """HOME cannot be written here and its settings not read: what tools keep there goes to the scratch folder."""
    found = {
        "TMPDIR": str(scratch),
        "XDG_CACHE_HOME": str(scratch / "cache"),
        "npm_config_cache": str(scratch / "npm"),
    }
    settings = bounds.git_mount[0] / "config" if bounds.git_mount else Path(os.devnull)
    return {**found, "GIT_CONFIG_GLOBAL": str(settings)}


def _ports(bounds: Bounds) -> list[int] | None:
    """The only TCP ports it may connect to, on any host; None where ports are not what decides."""
    if bounds.network == "shared" or not bounds.ports or version() < TCP_SINCE:
        return None
    return sorted(bounds.ports)


def _filter(bounds: Bounds, ports: Sequence[int] | None) -> bytes:
    """No unix sockets: their paths are not asked of Landlock, and docker, D-Bus and our own listen there."""
    if bounds.network != "shared" and not bounds.ports:
        return seccomp.program(families=(socket.AF_NETLINK,))
    return seccomp.program(
        families=(*INTERNET, socket.AF_NETLINK), transports=None if ports is None else TRANSPORTS
    )


def _rules(bounds: Bounds, scratch: Path) -> Iterator[Rule]:
    secrets = [*system.secrets(), *toolchains.secrets(bounds.home)]
    hidden = [*bounds.hidden, *(path for path in secrets if os.access(path, os.R_OK))]
    readable = [*system.folders(), *_home(bounds), *bounds.objects_read_only, *bounds.read_only]
    readable += [target for _, target in bounds.agent_home_read_only]
    for path in readable:
        yield from around(path, hidden, READ)
    yield "/proc", READ
    yield from ((name, DEVICE) for name in DEVICES)
    if resolver := system.resolver():
        yield str(resolver), READ
    yield from _git(bounds)
    for path in (bounds.worktree, scratch, *(source for source, _ in bounds.agent_home)):
        if not path.exists():
            raise SandboxFailed(f"A folder the agent is to write to does not exist: {path}.")
        yield from around(path, [held for held in hidden if not path.is_relative_to(held)], WRITE)


def _home(bounds: Bounds) -> list[Path]:
    if bounds.home == Path("/"):
        return []
    return toolchains.below(bounds.home, bounds.environment.get("PATH", ""))


def _git(bounds: Bounds) -> Iterator[Rule]:
    """The repository's own git directory, since no other can be put in its place here: readable, and no more
    than `git_write` needs writable.
    """
    if bounds.git_mount is None:
        return
    private, admin = bounds.git_mount
    common = admin.parent.parent  # of `worktrees/NAME`
    yield str(private / "config"), READ
    yield os.path.realpath(common), READ
    if bounds.git_write:
        yield os.path.realpath(admin), WRITE
        yield from ((os.path.realpath(common / name), WRITE) for name in GIT_WRITTEN)


def around(path: Path, hidden: Sequence[Path], what: str) -> Iterator[Rule]:
    """Rules that give `path` and all below it but what is `hidden`: rules only ever add up, so that is left out.

    Of a folder that holds something hidden the names may be listed; what is made in it later is not reachable.
    """
    real = Path(os.path.realpath(path))
    inner = [held for held in hidden if held.is_relative_to(real)]
    if not inner:
        yield str(real), what
    elif real not in inner and real.is_dir():
        yield str(real), LIST
        for entry in sorted(os.scandir(real), key=lambda entry: entry.name):
            yield from around(Path(entry.path), inner, what) if not entry.is_symlink() else ()
