"""The flags a task's policy and options become."""

from __future__ import annotations

import json
from typing import Any

from workers.runners import Context

TWO_WAY = "--input-format stream-json --permission-prompt-tool stdio".split()
#: Tools that change something or reach out; where a policy asks, all of them ask.
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
        words += ["--allowedTools", "Bash"]
    if model := context.options.get("model"):
        words += ["--model", str(model)]
    if effort := context.options.get("effort"):
        words += ["--effort", str(effort)]
    if servers := context.options.get("mcp_servers"):
        words += ["--mcp-config", json.dumps({"mcpServers": servers}), "--strict-mcp-config"]
    if not context.is_trusted:
        # Neither hooks, servers, skills and agents of the repository, nor its CLAUDE.md (measured, 2.1.197).
        words += ["--setting-sources", "user"]
    if settings := _settings(context):
        words += ["--settings", json.dumps(settings)]
    return [*words, *(str(word) for word in context.options.get("arguments") or ())]


def _settings(context: Context) -> dict[str, Any]:
    """Rules that ask go before a person's own that allow, and before what is taken for harmless (measured, 2.1.197)."""
    tools = {str(rule.get("tool")) for rule in context.rules if rule.get("action") != "allow"}
    if not context.asks:
        return {}
    named = [tool for tool in sorted(tools) if tool.isidentifier()]
    servers = [f"mcp__{name}" for name in sorted(context.options.get("mcp_servers") or {})]
    return {"permissions": {"ask": list(dict.fromkeys([*ASKING, *named, *servers]))}}
