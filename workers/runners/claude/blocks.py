"""The blocks of one message, as the live stream and the session's transcript have them alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.runners import streams
from workers.runners.observations import Observation, Said, Thought, ToolCall, ToolResult

SUBJECTS = ("command", "file_path", "pattern", "url", "description")


def said(content: Any, parent: str | None = None) -> list[Observation]:
    """What the agent wrote, thought and called."""
    found: list[Observation] = []
    for block in content if isinstance(content, list) else []:
        kind = streams.at(block, "type")
        if kind == "text" and block.get("text"):
            found.append(Said(str(block["text"]), parent=parent))
        elif kind == "thinking" and block.get("thinking"):
            found.append(Thought(str(block["thinking"]), parent))
        elif kind == "tool_use":
            given = block.get("input") if isinstance(block.get("input"), dict) else {}
            title = _title(str(block.get("name")), given)
            found.append(ToolCall(str(block.get("id")), str(block.get("name")), title, given, parent))
    return found


def given_back(content: Any, parent: str | None = None) -> list[Observation]:
    """What its tools gave back."""
    return [
        ToolResult(
            str(block.get("tool_use_id")),
            streams.text_of(block.get("content")),
            bool(block.get("is_error")),
            parent,
        )
        for block in (content if isinstance(content, list) else [])
        if streams.at(block, "type") == "tool_result"
    ]


def _title(name: str, given: Mapping[str, Any]) -> str:
    subject = next((given[key] for key in SUBJECTS if given.get(key)), "")
    return f"{name} {subject}".strip()
