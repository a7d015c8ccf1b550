"""`codex exec --json`: the goal on standard input, one turn, no questions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workers.runners import Context, Start, streams
from workers.runners.codex import endings, requests, tokens
from workers.runners.observations import (
    Hindered,
    Noticed,
    Observation,
    Outcome,
    Said,
    SessionStarted,
    Spent,
    Thought,
    ToolCall,
    ToolResult,
    TurnEnded,
)


def start(context: Context) -> Start:
    text = context.message or context.goal
    #: Inside our own containment its nested sandbox cannot start; outside, its own is the only one (running-agents 1.3).
    sandbox = (
        ["--dangerously-bypass-approvals-and-sandbox"] if context.contained else ["-s", "workspace-write"]
    )
    common = [*requests.trusting(context), "--skip-git-repo-check", *sandbox, "-C", context.cwd]
    resumed = ["resume", context.session_id] if context.resume and context.session_id else []
    return Start(
        argv=["codex", "exec", *common, *resumed, "--json", "-"],
        passes=("OPENAI_*", "CODEX_*"),
        first_input=text.encode("utf-8", "replace"),
        close_input=True,
        shown=f"codex: {text[:200]}",
        home=requests.HOME,
        hosted=True,
    )


class ExecJson:
    """Reads `exec --json`; usage in it is the thread's total, also across a resume."""

    partial_lines = False

    def __init__(self, state: dict[str, Any], model: str | None = None) -> None:
        self._tools = int(state.get("tools", 0))
        self._model = model

    def state(self) -> dict[str, Any] | None:
        return {"tools": self._tools}

    def feed(self, stream: str, lines: Sequence[str], partial: bool = False) -> list[Observation]:
        return streams.observed(stream, lines, self._event)

    def _event(self, event: dict[str, Any]) -> list[Observation]:
        match event.get("type"):
            case "thread.started":
                return [SessionStarted(str(event.get("thread_id")))]
            case "item.started":
                return self._started(event.get("item") or {})
            case "item.completed":
                return self._completed(event.get("item") or {})
            case "error":
                return [Hindered(str(event.get("message")))]
            case "turn.completed":
                return [
                    Spent(tokens.spending(event.get("usage") or {}, self._model, self._tools)),
                    TurnEnded(Outcome.COMPLETED),
                ]
            case "turn.failed":
                error = str(streams.at(event, "error", "message") or "The turn failed.")
                return [endings.failure(error, None)]
        return []

    def _started(self, item: dict[str, Any]) -> list[Observation]:
        kind = item.get("type")
        if kind not in ("command_execution", "mcp_tool_call"):
            return []
        self._tools += 1
        title = str(item.get("command") or f"{item.get('server')}.{item.get('tool')}")
        return [ToolCall(str(item.get("id")), str(kind), title, {"command": title})]

    def _completed(self, item: dict[str, Any]) -> list[Observation]:
        match item.get("type"):
            case "agent_message":
                return [Said(str(item.get("text", "")))]
            case "reasoning":
                return [Thought(str(item.get("text", "")))]
            case "command_execution":
                failed = item.get("exit_code") not in (0, None)
                return [ToolResult(str(item.get("id")), str(item.get("aggregated_output", "")), failed)]
            case "file_change":
                self._tools += 1
                paths = ", ".join(str(change.get("path")) for change in item.get("changes") or [])
                return [ToolCall(str(item.get("id")), "file_change", f"Changed {paths}", {})]
            case "mcp_tool_call":
                return [ToolResult(str(item.get("id")), str(item.get("result")), bool(item.get("error")))]
            case "error":
                return [Noticed(str(item.get("message")), {"event_type": "error"})]
        return []
