"""What a contained agent may reach, and what comes of it: values only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Network = Literal["disabled", "localhost", "enabled"]


@dataclass(frozen=True)
class Limits:
    """Per attempt. `file_bytes` is the longest file it can write, `scratch_bytes` the size of its /tmp."""

    processes: int = 2048
    open_files: int = 65_536
    file_bytes: int = 16 << 30
    scratch_bytes: int = 4 << 30


@dataclass(frozen=True)
class Bounds:
    """What a contained agent sees. Paths are absolute; where two of them nest, the inner one decides.

    The system folders are read-only, HOME is empty but for toolchains, and everything else is not there.
    `worktree` is writable, but the file `.git` in it. `git_mount` is (private git directory, the path at which the
    agent sees it): writable, but its config, hooks, info, objects/info and commondir. `objects_read_only` are the
    user's object stores. `agent_home` are writable (source, target) folders or files, `agent_home_read_only` what in them is not. `hidden` are empty to the
    agent, except for what else is named here below them. `environment` is forced upon the command.
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
    network: Network = "disabled"
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    pty: bool = False
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Confined:
    """A wrapped command. `argv` holds placeholders for descriptors that the shim makes; `seccomp` is the filter.

    `limits` are resource limits by their name without RLIMIT_.
    """

    argv: Sequence[str]
    seccomp: bytes
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    limits: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Tier:
    """The containment of this host. `fix` are the commands that give it a better one, in order."""

    name: Literal["bubblewrap", "none"]
    works: bool
    detail: str
    fix: Sequence[str] = ()

    def __str__(self) -> str:
        return f"{self.name}: {self.detail}"
