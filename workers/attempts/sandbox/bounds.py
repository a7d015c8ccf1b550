"""What a contained agent may reach, and what comes of it: values only."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from workers.attempts.sandbox.limits import Limits

#: The host's; one of the agent's own with nothing else in it; or its own with the shim's proxy in it.
Network = Literal["shared", "own", "proxied"]


@dataclass(frozen=True)
class Bounds:
    """What a contained agent sees. Paths are absolute; where two of them nest, the inner one decides.

    The system folders are read-only, HOME is empty but for toolchains, and everything else is not there.
    `worktree` is writable, but the file `.git` in it. `git_mount` is (private git directory, the path at which the
    agent sees it): writable, but its config, hooks, info, objects/info and commondir. `objects_read_only` are the
    user's object stores. `agent_home` are writable (source, target) folders or files, `agent_home_read_only` what in them is not. `hidden` are empty to the
    agent, except for what else is named here below them. `environment` is forced upon the command. Under `proxied`
    the command waits until the proxy listens in its network.

    Where nothing can be mounted over anything: `scratch` is the agent's own folder for temporary files, the
    repository's own git directory is readable and with `git_write` partly writable, `ports` are what it may connect to.
    """

    worktree: Path
    cwd: Path
    home: Path
    git_mount: tuple[Path, Path] | None = None
    objects_read_only: Sequence[Path] = ()
    agent_home: Sequence[tuple[Path, Path]] = ()
    agent_home_read_only: Sequence[tuple[Path, Path]] = ()
    read_only: Sequence[Path] = ()
    hidden: Sequence[Path] = ()
    network: Network = "own"
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    pty: bool = False
    limits: Limits = field(default_factory=Limits)
    scratch: Path | None = None
    git_write: bool = False
    ports: Collection[int] = ()


@dataclass(frozen=True)
class Confined:
    """A contained command. `seccomp` is the filter of system calls. In bubblewrap `argv` holds placeholders for
    descriptors that the shim makes; with `landlock` the shim's child restricts itself: {"rules": (path, what may be
    done below it), "ports": as in `enter`}.
    """

    argv: Sequence[str]
    seccomp: bytes
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    landlock: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Tier:
    """The containment of this host. `fix` are the commands that give it a better one, in order.

    `landlock` is the version of that interface, which decides what its tier can refuse; 0 in any other.
    """

    name: Literal["bubblewrap", "landlock", "none"]
    works: bool
    detail: str
    fix: Sequence[str] = ()
    landlock: int = 0

    def __str__(self) -> str:
        return f"{self.name}: {self.detail}"
