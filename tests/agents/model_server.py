"""A model that follows a script: enough of the Anthropic Messages API for the real `claude`, on loopback only.

A goal carries its script after the marker `script:` as JSON, a list of turns: {"say": text} or
{"call": tool, "input": {…}}. The turn played is the number of assistant messages since the marker, so the
server keeps no state, and a resumed or retried conversation goes on where it was. Run as a program it prints its port.
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MARKER = "script:"
LIFETIME_SECONDS = 600


def goal(*turns: dict[str, Any]) -> str:
    """A goal that makes the model play these turns."""
    return MARKER + json.dumps(list(turns))


def turn_for(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """The turn that follows this conversation."""
    turns: list[dict[str, Any]] = [{"say": "There is no script."}]
    played = 0
    for message in messages:
        text = _text(message.get("content"))
        if message.get("role") == "user" and MARKER in text:
            turns, _ = json.JSONDecoder().raw_decode(text.split(MARKER, 1)[1])
            played = 0
        elif message.get("role") == "assistant":
            played += 1
    return turns[played] if played < len(turns) else {"say": "The script is over."}


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(block.get("text", "") for block in content or [] if block.get("type") == "text")


def events(turn: dict[str, Any], model: str) -> list[tuple[str, dict[str, Any]]]:
    """One answer as server-sent events."""
    if "call" in turn:
        block = {"type": "tool_use", "id": "toolu_1", "name": turn["call"], "input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(turn["input"])}
    else:
        block = {"type": "text", "text": ""}
        delta = {"type": "text_delta", "text": turn["say"]}
    reason = "tool_use" if "call" in turn else "end_turn"
    usage = {"input_tokens": 10, "output_tokens": 1}
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    return [
        ("message_start", {"message": message}),
        ("content_block_start", {"index": 0, "content_block": block}),
        ("content_block_delta", {"index": 0, "delta": delta}),
        ("content_block_stop", {"index": 0}),
        (
            "message_delta",
            {"delta": {"stop_reason": reason, "stop_sequence": None}, "usage": {"output_tokens": 7}},
        ),
        ("message_stop", {}),
    ]


class Handler(BaseHTTPRequestHandler):
    """Answers POST /v1/messages; everything else is an empty object."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        asked = json.loads(self.rfile.read(length) or b"{}")
        if not self.path.startswith("/v1/messages") or not asked.get("stream"):
            self._send(b"{}", "application/json")
            return
        turn = turn_for(asked.get("messages", [])) if asked.get("tools") else {"say": "ok"}
        lines = [
            f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n"
            for name, data in events(turn, str(asked.get("model")))
        ]
        self._send("".join(lines).encode(), "text/event-stream")

    def do_GET(self) -> None:
        self._send(b"{}", "application/json")

    def do_HEAD(self) -> None:
        self._send(b"", "application/json")

    def _send(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()
