"""The flags a task's policy and options become."""

from __future__ import annotations

import json
import re
from typing import Any

from shared.policy import mcp_tools
from workers.runners import Context

TWO_WAY = "--input-format stream-json --permission-prompt-tool stdio".split()
#: Tools that change something or reach out; where a policy asks, all of them ask.
NAME = re.compile(r"[A-Z][A-Za-z]+|mcp__[A-Za-z0-9_-]+")
ASKING = ["Bash", "Edit", "Write", "NotebookEdit", "WebFetch", "WebSearch", "Skill"]
#: What a task may add, with the number of values each takes.
ALLOWED = {
    "--append-system-prompt": 1,
    "--fallback-model": 1,
    "--max-turns": 1,
    "--max-budget-usd": 1,
    "--disallowedTools": 1,
}


def of(context: Context) -> list[str]:
    """Everything behind `claude -p`; resuming restores no permission, so they are always said (facts 0.9)."""
    oneshot = context.options.get("mode") == "oneshot"
    mode = "acceptEdits" if oneshot else "plan" if context.options.get("mode") == "plan" else "default"
    words = ["--output-format", "stream-json", "--verbose", *([] if oneshot else TWO_WAY)]
    words += ["--permission-mode", mode]
    if oneshot:
        words += [
            "--allowedTools",
            ",".join(["Bash", *map(mcp_tools.named, context.policy.allowed_mcp_tools)]),
        ]
    if never := _never(context):
        words += ["--disallowedTools", ",".join(never)]
    if model := context.options.get("model"):
        words += ["--model", str(model)]
    if effort := context.options.get("effort"):
        words += ["--effort", str(effort)]
    if servers := _servers(context):
        words += ["--mcp-config", json.dumps({"mcpServers": servers}), "--strict-mcp-config"]
    if not context.is_trusted:
        # Neither hooks, servers, skills and agents of the repository, nor its CLAUDE.md (measured, 2.1.197).
        words += ["--setting-sources", "user"]
    if settings := _settings(context):
        words += ["--settings", json.dumps(settings)]
    return [*words, *(str(word) for word in context.options.get("arguments") or ())]


def _servers(context: Context) -> dict[str, Any]:
    """Those a task brings along and may use anything of."""
    given = context.options.get("mcp_servers") or {}
    allowed = context.policy.allowed_mcp_tools
    return {name: server for name, server in given.items() if mcp_tools.of_server(allowed, name) != []}


def _never(context: Context) -> list[str]:
    """Tools that are not even offered: the first rule about each denies whatever it is for, and has nothing to say."""
    found: dict[str, bool] = {}
    for rule in context.policy.tool_rules:
        tool = str(rule.get("tool"))
        plain = not (rule.get("pattern") or rule.get("path") or rule.get("reason"))
        if NAME.fullmatch(tool):
            found.setdefault(tool, plain and rule.get("action") == "deny")
        elif rule.get("action") != "deny":
            break  # a glob or a family may allow what follows
    return [tool for tool, is_denied in found.items() if is_denied]


def _settings(context: Context) -> dict[str, Any]:
    """Rules that ask go before a person's own that allow, and before what is taken for harmless (measured, 2.1.197)."""
    ask = [*_asking(context), *(["mcp__*"] if context.policy.allowed_mcp_tools else [])]
    oneshot = context.options.get("mode") == "oneshot"
    return {"permissions": {"ask": list(dict.fromkeys(ask))}} if ask and not oneshot else {}


def _asking(context: Context) -> list[str]:
    tools = {str(rule.get("tool")) for rule in context.policy.tool_rules if rule.get("action") != "allow"}
    if not context.asks:
        return []
    named = [tool for tool in sorted(tools) if tool.isidentifier()]
    servers = [f"mcp__{name}" for name in sorted(context.options.get("mcp_servers") or {})]
    return [*ASKING, *named, *servers]
