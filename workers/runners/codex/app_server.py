"""Reads `codex app-server`: one thread, its turns, items, questions, and what holds it up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shared.approvals import Question
from workers.runners import Context, streams
from workers.runners.codex import endings, items, requests, tokens
from workers.runners.observations import (
    Asked,
    Hindered,
    Noticed,
    Observation,
    Outcome,
    Replied,
    Send,
    SessionStarted,
    Spent,
    ToolCall,
    ToolResult,
    TurnEnded,
    Unsafe,
    Withdrawn,
)

Params = Mapping[str, Any]
#: How Codex marks its own question whether a tool of an MCP server may be used (measured, 0.169.0).
KIND_OF_ELICITATION, MCP_CALL = ("_meta", "codex_approval_kind"), "mcp_tool_call"
#: A file change's diff that an approval is joined with, in characters; the task's diff has it whole.
DIFF_CHARACTERS = 64_000


class AppServer:
    """What it must remember across a re-attach is small: ids, counts, and what open questions are about."""

    partial_lines = False

    def __init__(self, state: dict[str, Any], context: Context) -> None:
        self._context = context
        self._thread: str | None = state.get("thread")
        self._turn: str | None = state.get("turn")
        self._tools = int(state.get("tools", 0))
        self._untaken = int(state.get("untaken", 0))
        self._declined = bool(state.get("declined"))
        self._changes: dict[str, Any] = dict(state.get("changes", {}))
        self._shown: dict[str, int] = dict(state.get("shown", {}))
        self._resets_at: float | None = state.get("resets_at")
        self._model: str | None = state.get("model")
        self._threads = tokens.Threads(state.get("threads"))
        self._methods: dict[str, Callable[[Params], list[Observation]]] = {
            "turn/started": self._turn_started,
            "turn/completed": self._turn_completed,
            "turn/plan/updated": lambda params: [items.planned(params)],
            "item/started": self._item_started,
            "item/completed": self._item_completed,
            "item/commandExecution/outputDelta": self._more_output,
            "thread/tokenUsage/updated": self._spent,
            "account/rateLimits/updated": self._limits,
            "error": self._error,
            "warning": self._warned,
            "configWarning": self._warned,
            "model/rerouted": self._rerouted,
            "serverRequest/resolved": lambda params: [Withdrawn(str(params.get("requestId")))],
        }
        self._questions = {
            "item/commandExecution/requestApproval": self._asks_command,
            "item/fileChange/requestApproval": self._asks_edit,
            "item/tool/requestUserInput": self._asks_person,
        }

    def state(self) -> dict[str, Any] | None:
        return {
            "thread": self._thread,
            "turn": self._turn,
            "tools": self._tools,
            "untaken": self._untaken,
            "declined": self._declined,
            "changes": dict(self._changes),
            "shown": dict(self._shown),
            "resets_at": self._resets_at,
            "model": self._model,
            "threads": self._threads.state(),
        }

    def feed(self, stream: str, lines: Sequence[str], partial: bool = False) -> list[Observation]:
        return streams.observed(stream, lines, self._message, self._said_to)

    def _said_to(self, message: dict[str, Any]) -> list[Observation]:
        if streams.at(message, "id") != requests.REPLY:
            return []
        self._untaken += 1
        said = streams.at(message, "params", "input") or [{}]
        return [Replied(str(streams.at(said[0], "text") or ""))]

    def _message(self, message: dict[str, Any]) -> list[Observation]:
        method, params = message.get("method"), message.get("params")
        params = params if isinstance(params, dict) else {}
        if not isinstance(method, str):
            return self._answered(message)
        if "id" not in message:
            handle = self._methods.get(method)
            return handle(params) if handle else []
        if method == requests.ELICITATION and streams.at(params, *KIND_OF_ELICITATION) == MCP_CALL:
            return [Asked(self._asks_mcp(str(message["id"]), params))]
        if method in self._questions:
            return self._asked(self._questions[method](str(message["id"]), params))
        said = Noticed(f"Codex asked for {method}, which is not supported here", {"event_type": method})
        return [Send(f"refuse-{message['id']}", requests.refusal(message["id"], method)), said]

    def _answered(self, message: dict[str, Any]) -> list[Observation]:
        error = streams.at(message, "error", "message")
        match message.get("id"):
            case requests.THREAD:
                return self._opened(message.get("result") or {}, error)
            case requests.TURN if error:
                return [TurnEnded(Outcome.FAILED, error=f"Codex did not take the goal: {error}")]
            case requests.REPLY:
                self._untaken = max(0, self._untaken - 1)
                self._turn = streams.at(message, "result", "turn", "id") or self._turn
                if error:
                    return [TurnEnded(Outcome.FAILED, error=f"Codex did not take the reply: {error}")]
        return []

    def _opened(self, result: Params, error: str | None) -> list[Observation]:
        """The thread stands: go on with its first turn, provided that it asks where it must."""
        thread = streams.at(result, "thread", "id")
        if error or not thread:
            verb = "resume" if self._context.resume else "start"
            return [
                TurnEnded(Outcome.FAILED, error=f"Codex could not {verb} the thread: {error or 'no answer'}")
            ]
        if requests.asks(self._context) and result.get("approvalPolicy") != "untrusted":
            policy = result.get("approvalPolicy")
            return [Unsafe(f"This version of Codex does not ask: its approval policy is {policy!r}.")]
        self._thread, self._model = str(thread), result.get("model")
        turn = requests.first_turn(self._context, self._thread, self._model)
        return [SessionStarted(self._thread), Send(requests.TURN, turn)]

    def _turn_started(self, params: Params) -> list[Observation]:
        if self._is_ours(params):
            self._turn = streams.at(params, "turn", "id")
            self._declined = False
            self._threads.begin()
        return []

    def _turn_completed(self, params: Params) -> list[Observation]:
        if not self._is_ours(params):
            return []
        if streams.at(params, "turn", "id") == self._turn:
            self._turn = None
        self._changes.clear()
        self._shown.clear()
        if self._untaken:  # what was said behind the turn's end begins the next one
            return []
        return [endings.of(params.get("turn") or {}, self._resets_at, declined=self._declined)]

    def _is_ours(self, params: Params) -> bool:
        return params.get("threadId") == self._thread

    def _parent(self, params: Params) -> str | None:
        """A sub-agent has a thread of its own."""
        return None if self._is_ours(params) else str(params.get("threadId"))

    def _item_started(self, params: Params) -> list[Observation]:
        item = params.get("item") or {}
        found = items.started(item, self._parent(params), self._context.cwd)
        self._tools += len(found)
        if item.get("type") == "fileChange" and found:
            self._changes[str(item.get("id"))] = _bounded(found[0].input["changes"])  # type: ignore[union-attr]
        return found

    def _item_completed(self, params: Params) -> list[Observation]:
        item = params.get("item") or {}
        self._declined = self._declined or item.get("status") == "declined"
        self._changes.pop(str(item.get("id")), None)
        shown = self._shown.pop(str(item.get("id")), 0)
        return items.completed(item, self._parent(params), shown)

    def _more_output(self, params: Params) -> list[Observation]:
        id, text = str(params.get("itemId")), str(params.get("delta") or "")
        self._shown[id] = self._shown.get(id, 0) + len(text)
        return [ToolResult(id, text, parent=self._parent(params), partial=True)]

    def _spent(self, params: Params) -> list[Observation]:
        total = streams.at(params, "tokenUsage", "total")
        if not isinstance(total, dict):
            return []
        thread = str(params.get("threadId"))
        spent = self._threads.spent(thread, self._thread, total, self._model, self._tools)
        return [Spent(spent)] if spent else []

    def _limits(self, params: Params) -> list[Observation]:
        limits = params.get("rateLimits") or {}
        full = [
            window.get("resetsAt")
            for window in (limits.get("primary"), limits.get("secondary"))
            if isinstance(window, dict) and float(window.get("usedPercent") or 0) >= 100
        ]
        self._resets_at = max((float(at) for at in full if at), default=None)
        return []

    def _error(self, params: Params) -> list[Observation]:
        """One that is tried again; the last one stands in the turn's end, too."""
        error = params.get("error") or {}
        details = error.get("additionalDetails")
        text = f"{error.get('message')}{f' — {details}' if details else ''}"
        return [Hindered(text)] if params.get("willRetry") else []

    def _warned(self, params: Params) -> list[Observation]:
        text = params.get("message") or params.get("summary")
        return [Noticed(str(text), {"event_type": "warning"})] if text else []

    def _rerouted(self, params: Params) -> list[Observation]:
        return [Noticed(f"The model is now {params.get('toModel')}", {"event_type": "model"})]

    def _asks_command(self, request: str, params: Params) -> Question:
        command = items.shell_line(str(params.get("command") or ""))
        reason = str(params.get("reason") or "")
        return Question(
            request=request,
            tool=items.COMMAND,
            title=f"Codex wants to run a command{f': {reason}' if reason else ''}",
            command=command,
            input={"command": command, **({"reason": reason} if reason else {})},
            cwd=str(params.get("cwd") or self._context.cwd),
            tool_use_id=params.get("itemId"),
        )

    def _asks_edit(self, request: str, params: Params) -> Question:
        changes = self._changes.get(str(params.get("itemId")), [])
        root = params.get("grantRoot")
        paths = items.paths(changes, self._context.cwd) or str(root or "files")
        return Question(
            request=request,
            tool=items.EDIT,
            title=f"Codex wants to change {paths}",
            input={"changes": changes, **({"grant_root": root} if root else {})},
            cwd=self._context.cwd,
            tool_use_id=params.get("itemId"),
        )

    def _asks_mcp(self, request: str, params: Params) -> Question:
        """A server may ask a person for many things; this is Codex's own question whether it may use a tool of it."""
        server, about = str(params.get("serverName")), params.get("_meta") or {}
        tool = str(about.get("tool_name"))
        return Question(
            request=request,
            tool=f"mcp__{server}__{tool}",
            title=f"Codex wants to use {tool} of {server}",
            input={"server": server, "tool": tool, "arguments": about.get("tool_params") or {}},
            cwd=self._context.cwd,
        )

    def _asked(self, question: Question) -> list[Observation]:
        """Codex tells no item of a question to the person: the call is told here."""
        if not question.choices:
            return [Asked(question)]
        self._tools += 1
        call = ToolCall(
            question.tool_use_id or question.request, question.tool, question.title, question.input
        )
        return [call, Asked(question)]

    def _asks_person(self, request: str, params: Params) -> Question:
        asked = [item for item in params.get("questions") or [] if isinstance(item, dict)]
        first = str(streams.at(asked[0], "question") or "") if asked else ""
        return Question(
            request=request,
            tool="request_user_input",
            title=f"Codex asks: {first}",
            input={"questions": asked},
            cwd=self._context.cwd,
            choices=tuple(asked),
        )


def _bounded(changes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    left = DIFF_CHARACTERS
    found = []
    for change in changes:
        found.append({**change, "diff": change["diff"][: max(0, left)]})
        left -= len(change["diff"])
    return found
