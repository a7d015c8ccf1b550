"""What a policy's `allowed_mcp_tools` means: which tools of MCP servers an agent may use.

An entry is an agent's own name of a tool (`mcp__github__get_issue`), `github/get_issue`, or `github` for all of a
server's; `*` may stand for a part of a name.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

PREFIX = "mcp__"


def allows(entries: Sequence[str], tool: str) -> bool:
    """Whether a tool may be used; of others than those of MCP servers, and without entries, nothing is said."""
    return not entries or not tool.startswith(PREFIX) or any(fnmatchcase(tool, named(one)) for one in entries)


def named(entry: str) -> str:
    """An entry as a glob for the name that agents give a tool."""
    if entry.startswith(PREFIX):
        return entry if "__" in entry.removeprefix(PREFIX) else f"{entry}__*"
    server, _, tool = entry.partition("/")
    return f"{PREFIX}{server}__{tool or '*'}"


def of_server(entries: Sequence[str], server: str) -> list[str] | None:
    """Which tools of one server may be used, as globs of their own names: None for all of them, [] for none."""
    if not entries:
        return None
    parts = [named(entry).removeprefix(PREFIX).split("__", 1) for entry in entries]
    found = [tool for name, tool in parts if fnmatchcase(server, name)]
    return None if "*" in found else found
