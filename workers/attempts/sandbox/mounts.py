"""The table of what a contained agent sees where, in an order in which the inner of two nested paths decides."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

#: An empty file: a device would be refused instead of read as empty, and tools fail on that.
NOTHING = Path(__file__).with_name("nothing")
Kind = Literal["read-only", "writable", "empty", "nothing", "link"]


@dataclass(frozen=True)
class Mount:
    """`target` as the agent sees it. `source` is the host's path, or a link's text; `required` means it must exist."""

    target: Path
    kind: Kind
    source: str = ""
    required: bool = True
    size_bytes: int = 0

    def arguments(self, sized: bool) -> list[str]:
        """bubblewrap's arguments for it."""
        match self.kind:
            case "read-only":
                return ["--ro-bind" if self.required else "--ro-bind-try", self.source, str(self.target)]
            case "writable":
                return ["--bind", self.source, str(self.target)]
            case "nothing":
                return ["--ro-bind", str(NOTHING), str(self.target)]
            case "link":
                return ["--symlink", self.source, str(self.target)]
        size = ["--size", str(self.size_bytes)] if sized and self.size_bytes else []
        return [*size, "--tmpfs", str(self.target)]


class MountTable:
    """Mounts by target; a later one for the same target replaces the earlier."""

    def __init__(self) -> None:
        self._mounts: dict[Path, Mount] = {}

    def read_only(self, path: Path, *, required: bool = True) -> None:
        self._put(Mount(path, "read-only", os.path.realpath(path), required))

    def mount_read_only(self, source: Path, target: Path) -> None:
        self._put(Mount(target, "read-only", os.path.realpath(source)))

    def writable(self, source: Path, target: Path) -> None:
        self._put(Mount(target, "writable", os.path.realpath(source)))

    def empty(self, path: Path, size_bytes: int = 0) -> None:
        self._put(Mount(path, "empty", size_bytes=size_bytes))

    def link(self, path: Path, text: str) -> None:
        self._put(Mount(path, "link", text))

    def hide(self, path: Path) -> None:
        """Show nothing there: an empty folder in place of a folder, no bytes of a file.

        Last, once everything that is to be seen is in the table: what was named itself stays, and what nothing
        shows need not be hidden.
        """
        above = None if path in self._mounts else self._nearest_above(path)
        if above is None or above.kind == "empty" or not path.exists():
            return
        self._put(Mount(path, "empty" if path.is_dir() else "nothing"))

    def ordered(self) -> list[Mount]:
        """Outer before inner, so that no mount is covered by one that was named for something around it."""
        return sorted(self._mounts.values(), key=lambda mount: len(mount.target.parts))

    def _put(self, mount: Mount) -> None:
        self._mounts[mount.target] = mount

    def _nearest_above(self, path: Path) -> Mount | None:
        return next((self._mounts[at] for at in (path, *path.parents) if at in self._mounts), None)
