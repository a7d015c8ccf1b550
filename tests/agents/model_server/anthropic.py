"""The Anthropic Messages API, as Claude Code speaks it: its history, and an answer as JSON or as events."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

from tests.agents.model_server.account import Spent
from tests.agents.model_server.script import Said, Turn, calls, pieces, placed, text_of, working_directory

name = "anthropic"
path = "/v1/messages"
Event = tuple[str, dict[str, Any]]


def conversation(headers: Mapping[str, str], body: Mapping[str, Any]) -> str:
    """The agent's session id."""
    return str(headers.get("x-claude-code-session-id") or "")


def offers_tools(body: Mapping[str, Any]) -> bool:
    return bool(body.get("tools"))


def history(body: Mapping[str, Any]) -> Iterator[Said]:
    for message in body.get("messages", ()):
        content = message.get("content")
        if message.get("role") == "assistant":
            yield Said("model", text_of(content, "text"))
            continue
        for part in content if isinstance(content, list) else [{"type": "text", "text": str(content)}]:
            if part.get("type") == "tool_result":
                yield Said("tool", text_of(part.get("content"), "text"))
            elif part.get("type") == "text":
                #: Each for itself: Claude Code puts reminders of its own beside what a person wrote.
                yield Said("person", str(part.get("text", "")))


def located(turn: Turn, body: Mapping[str, Any]) -> Turn:
    """The turn with the agent's working directory filled in."""
    texts = [text_of(body.get("system"), "text")]
    texts += [text_of(message.get("content"), "text") for message in body.get("messages", ())]
    return dict(placed(turn, working_directory(texts)))


def blocks(turn: Turn) -> list[dict[str, Any]]:
    """The content of the answer."""
    found: list[dict[str, Any]] = []
    if thought := turn.get("think"):
        found.append({"type": "thinking", "thinking": thought, "signature": "c2lnbmVk"})
    if text := turn.get("say") or turn.get("refuse"):
        found.append({"type": "text", "text": text})
    for call in calls(turn):
        tool, given = _call(call)
        found.append({"type": "tool_use", "id": f"toolu_{uuid4().hex[:20]}", "name": tool, "input": given})
    return found


def _call(call: Turn) -> tuple[str, dict[str, Any]]:
    if "run" in call:
        return "Bash", {"command": call["run"], "description": "Run a command"}
    if "write" in call:
        return "Write", {"file_path": call["write"], "content": call.get("content", "")}
    if "edit" in call:
        return "Edit", {"file_path": call["edit"], "old_string": call["old"], "new_string": call["new"]}
    return str(call["call"]), dict(call.get("input", {}))


def whole(turn: Turn, number: int, spent: Spent, body: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a request that does not stream."""
    if "refuse" in turn:
        reason = "refusal"
    else:
        reason = str(turn.get("stop") or ("tool_use" if calls(turn) else "end_turn"))
    return {
        "id": f"msg_{uuid4().hex[:20]}",
        "type": "message",
        "role": "assistant",
        "model": body.get("model"),
        "content": blocks(turn),
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": {
            "input_tokens": spent.input - spent.cached - spent.written,
            "cache_read_input_tokens": spent.cached,
            "cache_creation_input_tokens": spent.written,
            "output_tokens": spent.output,
        },
    }


def events(turn: Turn, number: int, spent: Spent, body: Mapping[str, Any]) -> Iterator[Event]:
    """The same answer as server-sent events; the last message_delta has the final usage."""
    answer = whole(turn, number, spent, body)
    opening = {**answer, "content": [], "stop_reason": None, "usage": {**answer["usage"], "output_tokens": 1}}
    yield "message_start", {"message": opening}
    for index, block in enumerate(answer["content"]):
        start, deltas = _streamed(block)
        yield "content_block_start", {"index": index, "content_block": start}
        for delta in deltas:
            yield "content_block_delta", {"index": index, "delta": delta}
        yield "content_block_stop", {"index": index}
    stop = {"stop_reason": answer["stop_reason"], "stop_sequence": None}
    yield "message_delta", {"delta": stop, "usage": answer["usage"]}
    yield "message_stop", {}


def _streamed(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """How a content block begins, and the deltas that fill it."""
    if block["type"] == "text":
        return {**block, "text": ""}, [
            {"type": "text_delta", "text": piece} for piece in pieces(block["text"])
        ]
    if block["type"] == "thinking":
        return {**block, "thinking": "", "signature": ""}, [
            {"type": "thinking_delta", "thinking": block["thinking"]},
            {"type": "signature_delta", "signature": block["signature"]},
        ]
    given = json.dumps(block["input"])
    return {**block, "input": {}}, [
        {"type": "input_json_delta", "partial_json": piece} for piece in pieces(given, 4096)
    ]


def failure(message: str) -> Event:
    """An error in the middle of a stream."""
    return "error", {"error": {"type": "overloaded_error", "message": message}}


def refusal(status: int, message: str) -> dict[str, Any]:
    """The body of an HTTP error."""
    kinds = {400: "invalid_request_error", 401: "authentication_error", 429: "rate_limit_error"}
    return {"type": "error", "error": {"type": kinds.get(status, "api_error"), "message": message}}
