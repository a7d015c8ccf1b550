"""The OpenAI Responses API, as Codex speaks it: its history, and an answer as JSON or as events."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

from tests.agents.model_server import codex_tools
from tests.agents.model_server.account import Spent
from tests.agents.model_server.script import Said, Turn, calls, pieces, placed, text_of, working_directory

name = "openai"
path = "/v1/responses"
Event = tuple[str, dict[str, Any]]
#: A call's id says which turn it was, because Codex may put one call's result before the next call.
CALL_ID = re.compile(r"call_(\d+)_")


def conversation(headers: Mapping[str, str], body: Mapping[str, Any]) -> str:
    """The agent's thread id."""
    found = headers.get("session-id") or headers.get("session_id") or body.get("prompt_cache_key")
    return str(found or "")


def offers_tools(body: Mapping[str, Any]) -> bool:
    return bool(codex_tools.offered(body))


def _items(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    given = body.get("input") or []
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": given}]
    return list(given)


def history(body: Mapping[str, Any]) -> Iterator[Said]:
    for item in _items(body):
        kind, role = str(item.get("type", "message")), item.get("role")
        if kind == "message" and role == "user":
            content = item.get("content")
            for part in content if isinstance(content, list) else [{"text": content}]:
                yield Said("person", str(part.get("text", "")))
        elif kind == "message" and role == "assistant":
            yield Said("model", text_of(item.get("content"), "output_text", "text"))
        elif kind == "reasoning":
            yield Said("model")
        elif kind.endswith("_call"):
            numbered = CALL_ID.match(str(item.get("call_id")))
            yield Said("model", turn=int(numbered[1]) if numbered else None)
        elif kind.endswith("_output"):
            yield Said("tool", _result(item.get("output")))


def _result(output: Any) -> str:
    return text_of(output, "input_text", "output_text", "text") or json.dumps(output)


def located(turn: Turn, body: Mapping[str, Any]) -> Turn:
    """The turn with the agent's working directory filled in."""
    texts = [text_of(item.get("content"), "input_text", "text") for item in _items(body)]
    return dict(placed(turn, working_directory(texts)))


def _output(turn: Turn, number: int, body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The items of the answer."""
    found: list[dict[str, Any]] = []
    if thought := turn.get("think"):
        summary = [{"type": "summary_text", "text": thought}]
        found.append({"type": "reasoning", "summary": summary, "encrypted_content": None})
    if text := turn.get("say") or turn.get("refuse"):
        content = {"type": "output_text", "text": text, "annotations": []}
        found.append({"type": "message", "role": "assistant", "content": [content]})
    tools = codex_tools.offered(body)
    for call in calls(turn):
        item = codex_tools.item(call, tools)
        found.append({**item, "call_id": f"call_{number}_{uuid4().hex[:16]}"})
    return [{"id": f"item_{uuid4().hex[:20]}", "status": "completed", **item} for item in found]


def whole(turn: Turn, number: int, spent: Spent, body: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a request that does not stream."""
    return {
        "id": f"resp_{uuid4().hex[:20]}",
        "object": "response",
        "created_at": 0,
        "model": body.get("model"),
        "status": "completed",
        "error": None,
        "output": _output(turn, number, body),
        "usage": {
            "input_tokens": spent.input,
            "input_tokens_details": {"cached_tokens": spent.cached},
            "output_tokens": spent.output,
            "output_tokens_details": {"reasoning_tokens": spent.reasoning},
            "total_tokens": spent.input + spent.output,
        },
    }


def events(turn: Turn, number: int, spent: Spent, body: Mapping[str, Any]) -> Iterator[Event]:
    """The same answer as server-sent events; response.completed has the usage."""
    answer = whole(turn, number, spent, body)
    counted = itertools.count()
    opening = {**answer, "status": "in_progress", "output": [], "usage": None}
    yield _event(counted, "response.created", response=opening)
    for index, item in enumerate(answer["output"]):
        place = {"item_id": item["id"], "output_index": index}
        hollow: dict[str, Any] = {"message": {"content": []}, "reasoning": {"summary": []}}.get(
            item["type"], {}
        )
        started = {**item, "status": "in_progress", **hollow}
        yield _event(counted, "response.output_item.added", output_index=index, item=started)
        if item["type"] == "message":
            yield from _text(counted, place, item["content"][0])
        elif item["type"] == "reasoning":
            part = {"type": "summary_text", "text": ""}
            kind = "response.reasoning_summary_"
            yield _event(counted, kind + "part.added", **place, summary_index=0, part=part)
            text = item["summary"][0]["text"]
            yield _event(counted, kind + "text.delta", **place, summary_index=0, delta=text)
        yield _event(counted, "response.output_item.done", output_index=index, item=item)
    yield _event(counted, "response.completed", response=answer)


def _text(counted: Iterator[int], place: dict[str, Any], content: dict[str, Any]) -> Iterator[Event]:
    at = {**place, "content_index": 0}
    yield _event(counted, "response.content_part.added", **at, part={**content, "text": ""})
    for piece in pieces(content["text"]):
        yield _event(counted, "response.output_text.delta", **at, delta=piece)
    yield _event(counted, "response.output_text.done", **at, text=content["text"])


def _event(counted: Iterator[int], kind: str, **fields: Any) -> Event:
    return kind, {"sequence_number": next(counted), **fields}


def failure(message: str) -> Event:
    """An error in the middle of a stream."""
    error = {"code": "server_error", "message": message}
    return "response.failed", {"response": {"id": "resp_failed", "status": "failed", "error": error}}


def refusal(status: int, message: str) -> dict[str, Any]:
    """The body of an HTTP error."""
    kinds = {400: "invalid_request_error", 401: "authentication_error", 429: "rate_limit_error"}
    return {"error": {"type": kinds.get(status, "server_error"), "code": None, "message": message}}
