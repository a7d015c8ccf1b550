"""Stands in for `claude` in the tests of costs: does what its goal says, and reports it as the program does."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

MODEL = "claude-opus-4-8"


def say(**item: Any) -> None:
    print(json.dumps({"session_id": session(), **item}), flush=True)


def session() -> str:
    return next((word for word in sys.argv if re.fullmatch(r"[0-9a-f-]{36}", word)), "none")


def message(id: str, tokens: int) -> dict[str, Any]:
    usage = {"input_tokens": tokens, "output_tokens": 10}
    return {"id": id, "model": MODEL, "content": [{"type": "text", "text": id}], "usage": usage}


def remember(*messages: dict[str, Any]) -> None:
    """The session file as the program writes it."""
    project = re.sub(r"[^A-Za-z0-9]", "-", os.getcwd())
    folder = Path(os.environ["CLAUDE_CONFIG_DIR"], "projects", project)
    folder.mkdir(parents=True, exist_ok=True)
    at = datetime.now(UTC).isoformat()
    with (folder / f"{session()}.jsonl").open("a") as file:
        for item in messages:
            file.write(json.dumps({"type": "assistant", "timestamp": at, "message": item}) + "\n")


def result(cost: float) -> None:
    usage = {MODEL: {"inputTokens": 1000, "outputTokens": 20, "costUSD": cost}}
    say(
        type="result", subtype="success", is_error=False, result="done", total_cost_usd=cost, modelUsage=usage
    )


def main() -> None:
    if "--version" in sys.argv:
        print("2.1.197 (Claude Code)")
        return
    for line in sys.stdin:
        said = json.loads(line)
        if said.get("type") == "control_request":
            reply = {"subtype": "success", "request_id": said["request_id"], "response": {}}
            say(type="control_response", response=reply)
        if said.get("type") != "user":
            continue
        goal = said["message"]["content"]
        say(type="system", subtype="init", cwd=os.getcwd(), tools=[], model=MODEL, permissionMode="default")
        if "work on" in goal:
            say(type="assistant", message=message("m1", 100_000))
            signal.pause()
        elif "die" in goal:
            say(type="assistant", message=message("m1", 2000))
            remember(message("m1", 2000), message("m1", 2000), message("m2", 3000))
            os.kill(os.getpid(), signal.SIGKILL)
        result(0.9)


if __name__ == "__main__":
    main()
