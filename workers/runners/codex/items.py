"""The items of a Codex turn — messages, commands, file changes, tool calls — as observations."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from workers.runners import streams
from workers.runners.observations import Noticed, Observation, Planned, Said, Thought, ToolCall, ToolResult

COMMAND, EDIT = "command_execution", "file_change"
SHELLS = ("bash", "sh", "zsh", "dash")
#: Items that are calls of a tool: their type, the tool's name here, and what it is about.
OTHER_CALLS = {
    "webSearch": ("web_search", "query"),
    "imageView": ("view_image", "path"),
    "imageGeneration": ("image_generation", "revisedPrompt"),
    "collabAgentToolCall": ("collab_agent", "prompt"),
}


def started(item: Mapping[str, Any], parent: str | None, cwd: str) -> list[Observation]:
    """The call an item is, if it is one."""
    id, kind = str(item.get("id")), item.get("type")
    if kind == "commandExecution":
        command = shell_line(str(item.get("command") or ""))
        given = {"command": command, "cwd": item.get("cwd")}
        return [ToolCall(id, COMMAND, command, given, parent)]
    if kind == "fileChange":
        changes = [_change(change) for change in item.get("changes") or []]
        return [ToolCall(id, EDIT, f"Edit {paths(changes, cwd)}", {"changes": changes}, parent)]
    if kind in ("mcpToolCall", "dynamicToolCall"):
        tool = tool_name(item)
        arguments = item.get("arguments")
        given = arguments if isinstance(arguments, dict) else {"arguments": arguments}
        return [ToolCall(id, tool, tool, given, parent)]
    if kind in OTHER_CALLS:
        tool, about = OTHER_CALLS[str(kind)]
        subject = str(item.get(about) or "")
        return [ToolCall(id, tool, f"{tool} {subject}".strip(), {about: subject}, parent)]
    return []


def completed(item: Mapping[str, Any], parent: str | None, shown: int) -> list[Observation]:
    """What an item came to; `shown` characters of a command's output were observed while it ran."""
    id, kind = str(item.get("id")), item.get("type")
    if kind == "agentMessage":
        return [Said(str(item["text"]), parent=parent)] if item.get("text") else []
    if kind == "reasoning":
        parts = [streams.text_of(part) for part in item.get("summary") or item.get("content") or []]
        return [Thought("\n\n".join(parts), parent)] if any(parts) else []
    if kind == "commandExecution":
        output = str(item.get("aggregatedOutput") or "")
        failed = item.get("exitCode") not in (0, None) or item.get("status") in ("failed", "declined")
        said = output if shown != len(output) else ""
        return [ToolResult(id, said or _exit(item, output), failed, parent)]
    if kind == "fileChange":
        status = str(item.get("status"))
        return [ToolResult(id, "" if status == "completed" else status, status != "completed", parent)]
    if kind in ("mcpToolCall", "dynamicToolCall"):
        return [ToolResult(id, _given(item), _has_failed(item), parent)]
    if kind in OTHER_CALLS:
        return [ToolResult(id, "", item.get("status") == "failed", parent)]
    if kind == "plan" and item.get("text"):
        return [Said(str(item["text"]), "plan", parent)]
    if kind == "contextCompaction":
        return [Noticed("The conversation was compacted", {"event_type": "compaction"})]
    return []


def planned(params: Mapping[str, Any]) -> Planned:
    """The steps of `turn/plan/updated`."""
    words = {"inProgress": "in_progress"}
    steps = [step for step in params.get("plan") or [] if isinstance(step, dict)]
    states = [(str(step.get("step")), str(step.get("status"))) for step in steps]
    return Planned([(text, words.get(state, state)) for text, state in states])


def shell_line(command: str) -> str:
    """What a person would have typed: `/bin/bash -lc '…'` without its wrapping."""
    try:
        words = shlex.split(command)
    except ValueError:
        return command
    wrapped = len(words) == 3 and words[0].rpartition("/")[2] in SHELLS and words[1] in ("-lc", "-c")
    return words[2] if wrapped else command


def tool_name(item: Mapping[str, Any]) -> str:
    """The tool's name as Claude writes those of MCP servers, so that one rule holds for both."""
    if item.get("type") == "mcpToolCall":
        return f"mcp__{item.get('server')}__{item.get('tool')}"
    return str(item.get("tool"))


def _change(change: Mapping[str, Any]) -> dict[str, Any]:
    kind = change.get("kind")
    word = kind.get("type") if isinstance(kind, dict) else kind
    return {"path": str(change.get("path")), "kind": str(word), "diff": str(change.get("diff") or "")}


def paths(changes: list[dict[str, Any]], cwd: str) -> str:
    """The files of a change, as seen from where the agent works."""
    return ", ".join(str(change["path"]).removeprefix(f"{cwd}/") for change in changes)


def _exit(item: Mapping[str, Any], output: str) -> str:
    code = item.get("exitCode")
    return "" if output or code in (0, None) else f"exit status {code}"


def _given(item: Mapping[str, Any]) -> str:
    error = item.get("error")
    if error:
        return str(streams.at(error, "message") or error)
    result = item.get("result") or {}
    content = streams.at(result, "content") or item.get("contentItems")
    return streams.text_of(content) or (json.dumps(result, ensure_ascii=False) if result else "")


def _has_failed(item: Mapping[str, Any]) -> bool:
    return bool(item.get("error")) or item.get("status") == "failed" or item.get("success") is False
