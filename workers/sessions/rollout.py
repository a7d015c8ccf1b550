"""What the lines of a Codex rollout say, as its live stream would have told it.

A rollout holds everything twice, as items of the model's history and as events; the history is the whole of it.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from typing import Any

from workers.runners import streams
from workers.runners.codex import items
from workers.runners.observations import Noticed, Observation, Replied, Said, Thought, ToolCall, ToolResult
from workers.sessions import text

CALLS = ("function_call", "custom_tool_call", "local_shell_call", "web_search_call")
#: How the program's own tools begin what they tell the model; what follows `Output:` is the command's.
FAILED = re.compile(r"^(?:Exit code: |Process exited with code )[1-9]|^exec_command failed", re.MULTILINE)
HEAD = re.compile(r"\A(?:[^\n]*\n){0,6}?Output:\n")
PATCHED = re.compile(r"^\*\*\* (?:Add|Update|Delete) File: (.+)$", re.MULTILINE)
EVENTS = {"turn_aborted": "The turn was interrupted", "context_compacted": "The conversation was compacted"}


def told(line: dict[str, Any]) -> list[Observation]:
    """The observations one line makes; most make none."""
    payload = line.get("payload")
    if not isinstance(payload, dict):
        return []
    if line.get("type") == "event_msg" and (said := EVENTS.get(str(payload.get("type")))):
        return [Noticed(said)]
    return _item(payload) if line.get("type") == "response_item" else []


def _item(item: Mapping[str, Any]) -> list[Observation]:
    kind, id = str(item.get("type")), str(item.get("call_id") or item.get("id"))
    if kind == "message":
        return _message(item.get("role"), _text(item.get("content")))
    if kind == "reasoning":
        thoughts = _text(item.get("summary")) or _text(item.get("content"))
        return [Thought(thoughts)] if thoughts else []
    if kind in CALLS:
        return [_call(id, kind, item)]
    if kind.endswith("_output"):
        given = item.get("output")
        output = given if isinstance(given, str) else _text(given)
        head = HEAD.match(output)
        failed = FAILED.search(head.group() if head else output[:200]) is not None
        return [ToolResult(id, output[head.end() :] if head else output, failed)]
    return []


def _message(role: Any, said: str) -> list[Observation]:
    """A developer's messages are the program's own instructions and told to nobody."""
    if not said.strip() or role not in ("user", "assistant"):
        return []
    if role == "assistant":
        return [Said(said)]
    return [Noticed(text.gist(said))] if text.is_synthetic(said) else [Replied(said)]


def _call(id: str, kind: str, item: Mapping[str, Any]) -> ToolCall:
    name = str(item.get("name") or kind.removesuffix("_call"))
    given = _arguments(item)
    command = given.get("cmd") or given.get("command")
    if isinstance(command, list):
        command = shlex.join(str(word) for word in command)
    if isinstance(command, str):
        title = items.shell_line(command)
    else:
        about = PATCHED.findall(str(given.get("input") or "")) or [given.get("query")]
        title = " ".join([name, ", ".join(str(word) for word in about if word)]).strip()
    return ToolCall(id, name, title, given)


def _arguments(item: Mapping[str, Any]) -> dict[str, Any]:
    """What a tool was called with: JSON text, an action of the program's own, or free text."""
    action = item.get("action")
    if isinstance(action, dict):
        return action
    given = str(item.get("arguments") or item.get("input") or "")
    try:
        found = json.loads(given)
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {"input": given}


def _text(content: Any) -> str:
    """The text of a list of blocks, whatever each is called."""
    blocks = content if isinstance(content, list) else []
    return "\n".join(text for block in blocks if isinstance(text := streams.at(block, "text"), str))
