"""JSON lines from a program that also prints other things: broken, cut, or not JSON at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from workers.runners.observations import Observation, Output

T = TypeVar("T")
Item = dict[str, Any]


def parse(line: str) -> dict[str, Any] | None:
    """The JSON object on a line, or None for anything else."""
    if not line.lstrip().startswith("{"):
        return None
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def observed(
    stream: str,
    lines: Sequence[str],
    said: Callable[[Item], list[Observation]],
    heard: Callable[[Item], list[Observation]] = lambda item: [],
) -> list[Observation]:
    """What lines are: `said` reads an agent's messages, `heard` ours to it; what is no message is its plain output."""
    found: list[Observation] = []
    for line in lines:
        item = None if stream == "stderr" else parse(line)
        if stream == "stdin":
            found += (understood(heard, item) or []) if item is not None else []
        elif item is not None and (seen := understood(said, item)) is not None:
            found += seen
        elif line.strip():
            found.append(Output(stream, [line]))
    return found


def understood(reader: Callable[[Item], T], item: Item) -> T | None:
    """What `reader` makes of an object; None for one of another shape than the program's own."""
    try:
        return reader(item)
    except (AttributeError, TypeError, ValueError, LookupError, ArithmeticError):
        return None


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
