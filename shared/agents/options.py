"""How an agent is to run: mode, model, effort, further arguments and MCP servers, checked by what its runner takes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from shared.errors import WrongShape

#: Where they stand in a task's options; `resume_after_limit` and `repository_settings` are ours, the others reach the adapter.
NAMES = (
    "mode", "model", "effort", "arguments", "mcp_servers", "resume_after_limit", "repository_settings",
)  # fmt: skip
SERVER_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
SERVER_KEYS = frozenset({"command", "args", "env", "url", "type", "headers"})
#: An id that a program told: it becomes a word of a command line, never an option.
SESSION_ID = re.compile(r"[A-Za-z0-9][\w.:-]{0,199}")
MODEL = re.compile(r"[A-Za-z0-9][\w.:/@\[\]-]{0,199}")


def check(options: Mapping[str, Any], capabilities: Mapping[str, Any], runner: str) -> None:
    """Raise WrongShape, with the field, for what this runner does not take.

    A runner that no worker has looked for yet takes any mode, effort and argument; its adapter decides.
    """
    _one_of("mode", options.get("mode"), capabilities.get("modes"), runner)
    _one_of("effort", options.get("effort"), capabilities.get("efforts"), runner)
    model = options.get("model")
    if model is not None and not MODEL.fullmatch(str(model)):
        raise WrongShape(f"{model!r} cannot be the name of a model.", field="model")
    if options.get("arguments"):
        _check_arguments(options["arguments"], capabilities.get("arguments"), runner)
    for name, server in (options.get("mcp_servers") or {}).items():
        _check_server(name, server)


def _one_of(field: str, value: Any, allowed: Sequence[str] | None, runner: str) -> None:
    if value is None or allowed is None or value in allowed:
        return
    choice = f"takes one of {', '.join(allowed)}" if allowed else "takes none"
    raise WrongShape(f"{field}: {runner} {choice}, not {value!r}.", field=field)


def _check_arguments(words: Sequence[str], allowed: Mapping[str, int] | None, runner: str) -> None:
    """Only flags of the runner's own list, each with as many values as it takes; no value may look like a flag."""
    if allowed is None:
        return
    rest = list(words)
    while rest:
        flag = rest.pop(0)
        if flag not in allowed:
            known = ", ".join(sorted(allowed)) or "none"
            raise WrongShape(f"arguments: {runner} takes {known}, not {flag[:60]!r}.", field="arguments")
        for _ in range(int(allowed[flag])):
            if not rest or rest[0].startswith("-"):
                raise WrongShape(f"arguments: {flag} needs a value.", field="arguments")
            rest.pop(0)


def _check_server(name: str, server: Mapping[str, Any]) -> None:
    if not SERVER_NAME.fullmatch(name):
        raise WrongShape(f"mcp_servers: {name[:60]!r} cannot be the name of a server.", field="mcp_servers")
    unknown = sorted(set(server) - SERVER_KEYS)
    if unknown:
        raise WrongShape(f"mcp_servers: {name} has no {unknown[0][:60]!r}.", field="mcp_servers")
    if bool(server.get("command")) == bool(server.get("url")):
        raise WrongShape(f"mcp_servers: {name} needs a command or a url.", field="mcp_servers")
