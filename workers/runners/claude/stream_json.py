"""Reads `--output-format stream-json`: messages, calls and their results, questions, retries, and a turn's end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shared.approvals import Question
from workers.runners import Context, streams
from workers.runners.claude import blocks, endings
from workers.runners.claude.tokens import Counter
from workers.runners.observations import (
    Asked,
    Hindered,
    Noticed,
    Observation,
    Planned,
    Replied,
    SessionStarted,
    Spent,
    ToolCall,
    Unsafe,
    Withdrawn,
)

QUESTIONS = ("AskUserQuestion", "ExitPlanMode")
ENDED = ("completed", "failed", "killed")
MODES = {"plan": "to plan first", "default": "to work"}
MODE = {"event_type": "mode"}
BACKGROUND = {"event_type": "background"}


class StreamJson:
    """Reads `--output-format stream-json`; totals and open background tasks survive a re-attach."""

    partial_lines = False

    def __init__(self, state: dict[str, Any], context: Context) -> None:
        self._context = context
        self._tools = int(state.get("tools", 0))
        self._background: set[str] = set(state.get("background", ()))
        self._greeted = bool(state.get("greeted"))
        self._session = state.get("session")
        self._tokens = Counter(state.get("tokens"))
        self._plan: dict[str, list[str]] = dict(state.get("plan", {}))
        self._resets_at: float | None = state.get("resets_at")
        self._by_type: dict[str, Callable[[dict[str, Any]], list[Observation]]] = {
            "system": self._system,
            "assistant": self._assistant,
            "user": self._user,
            "result": self._result,
            "control_request": self._control_request,
            "control_cancel_request": lambda item: [Withdrawn(str(item.get("request_id")))],
            "control_response": lambda item: [],
            "stream_event": lambda item: [],
            "rate_limit_event": self._rate_limit,
        }

    def state(self) -> dict[str, Any] | None:
        return {
            "tools": self._tools,
            "background": sorted(self._background),
            "greeted": self._greeted,
            "session": self._session,
            "tokens": self._tokens.state(),
            "plan": self._plan,
            "oneshot": self._context.options.get("mode") == "oneshot",
            "resets_at": self._resets_at,
        }

    def feed(self, stream: str, lines: Sequence[str], partial: bool = False) -> list[Observation]:
        return streams.observed(stream, lines, self._said, self._said_to)

    def _said(self, item: dict[str, Any]) -> list[Observation]:
        return self._by_type.get(str(item.get("type")), self._other)(item)

    def _said_to(self, item: dict[str, Any]) -> list[Observation]:
        if item.get("type") != "user":
            return []
        if not self._greeted:
            self._greeted = True
            return []
        return [Replied(streams.text_of(streams.at(item, "message", "content")).strip())]

    def _system(self, item: dict[str, Any]) -> list[Observation]:
        match item.get("subtype"):
            case "init":
                return self._init(item)
            case "api_retry":
                status = item.get("error_status") or item.get("error")
                tries = f"{item.get('attempt')} of {item.get('max_retries')}"
                return [Hindered(f"Retrying the model API ({tries}): {status}")]
            case "task_started" if item.get("task_type") == "local_bash":
                self._background.add(str(item.get("task_id")))
            case "task_notification":
                self._background.discard(str(item.get("task_id")))
                said = str(item.get("summary") or "A background command ended")
                return [Noticed(said, BACKGROUND)] if item.get("output_file") else []
            case "task_updated" if streams.at(item, "patch", "status") in ENDED:
                self._background.discard(str(item.get("task_id")))
            case "status" if item.get("permissionMode"):
                return [
                    Noticed(
                        f"Its mode is now {MODES.get(item['permissionMode'], item['permissionMode'])}", MODE
                    )
                ]
            case "compact_boundary":
                return [Noticed("The conversation was compacted", {"event_type": "compaction"})]
        return []

    def _init(self, item: dict[str, Any]) -> list[Observation]:
        """Once per turn; the session is named, and the channel for questions is tested before the first call."""
        session = item.get("session_id")
        known, self._session = self._session, session
        found: list[Observation] = [SessionStarted(str(session))] if session and session != known else []
        if self._context.asks and (reason := _does_not_ask(item)):
            found.append(Unsafe(reason))
        return found

    def _rate_limit(self, item: dict[str, Any]) -> list[Observation]:
        """A subscription's limit; the fields are those of the published types, not seen with an API key."""
        limit = item.get("rate_limit_info") or {}
        at = limit.get("resetsAt")
        self._resets_at = (
            float(at) if limit.get("status") == "rejected" and isinstance(at, int | float) else None
        )
        return []

    def _assistant(self, item: dict[str, Any]) -> list[Observation]:
        found: list[Observation] = []
        for seen in blocks.said(streams.at(item, "message", "content"), item.get("parent_tool_use_id")):
            found.append(seen)
            if isinstance(seen, ToolCall):
                self._tools += 1
                if seen.name == "TodoWrite":
                    steps = [step for step in seen.input.get("todos") or [] if isinstance(step, dict)]
                    found.append(Planned([(str(s.get("content")), str(s.get("status"))) for s in steps]))
        spending = self._tokens.call(item, self._tools)
        return [*found, Spent(spending)] if spending else found

    def _user(self, item: dict[str, Any]) -> list[Observation]:
        content = streams.at(item, "message", "content")
        results = blocks.given_back(content, item.get("parent_tool_use_id"))
        return [*results, *self._planned(item.get("tool_use_result"))]

    def _planned(self, result: Any) -> list[Observation]:
        """The agent's own list of tasks, which its tools keep one by one."""
        task, change = streams.at(result, "task"), streams.at(result, "statusChange")
        if isinstance(task, dict) and task.get("subject"):
            self._plan[str(task.get("id"))] = [str(task["subject"]), "pending"]
        elif isinstance(change, dict) and (step := self._plan.get(str(streams.at(result, "taskId")))):
            step[1] = str(change.get("to"))
        else:
            return []
        return [Planned([(step, status) for step, status in self._plan.values()])]

    def _result(self, item: dict[str, Any]) -> list[Observation]:
        found: list[Observation] = [Spent(self._tokens.result(item, self._tools))]
        if self._background:  # it will go on when they end: this result is not the last one
            return found
        return [*found, endings.of(item, self._resets_at)]

    def _control_request(self, item: dict[str, Any]) -> list[Observation]:
        request = item.get("request") or {}
        if request.get("subtype") != "can_use_tool":
            return []
        tool, given = str(request.get("tool_name")), request.get("input") or {}
        question = Question(
            request=str(item.get("request_id")),
            tool=tool,
            title=_asks(tool, given),
            command=given.get("command") if tool == "Bash" else None,
            input=given,
            cwd=self._context.cwd,
            choices=tuple(given.get("questions") or ()) if tool in QUESTIONS else (),
            tool_use_id=request.get("tool_use_id"),
        )
        return [Asked(question)]

    def _other(self, item: dict[str, Any]) -> list[Observation]:
        return [Noticed(f"{item.get('type')}", {"event_type": str(item.get("type"))})]


def _does_not_ask(item: Mapping[str, Any]) -> str | None:
    """Why this program would go on without asking; None when it asks (facts 1.4: the tools that only come with it)."""
    mode, version = item.get("permissionMode"), item.get("claude_code_version")
    if mode not in ("default", "plan"):
        return f"Claude Code {version} does not ask: its permission mode is {mode!r}."
    if "AskUserQuestion" not in (item.get("tools") or []):
        return f"Claude Code {version} does not ask: it offers no permission prompts over stdio."
    return None


def _asks(tool: str, given: Mapping[str, Any]) -> str:
    if tool == "AskUserQuestion":
        return "Claude asks: " + str(streams.at((given.get("questions") or [{}])[0], "question") or "")
    if tool == "ExitPlanMode":
        return "Claude proposes a plan"
    if tool == "Bash":
        return "Claude wants to run a command"
    return f"Claude wants to use {tool}"
