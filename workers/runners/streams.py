"""JSON lines from a program that also prints other things: broken, cut, or not JSON at all."""

from __future__ import annotations

import json
from typing import Any


def parse(line: str) -> dict[str, Any] | None:
    """The JSON object on a line, or None for anything else."""
    if not line.lstrip().startswith("{"):
        return None
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def dump(value: object) -> bytes:
    """One line of JSON, as bytes for an agent's input."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"


def at(value: Any, *path: str) -> Any:
    """What stands at a path of nested objects, or None."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def text_of(content: Any) -> str:
    """The text of a message's content: a string, or the text blocks of a list joined by newlines."""
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    return "\n".join(str(block.get("text", "")) for block in blocks if at(block, "type") == "text")
