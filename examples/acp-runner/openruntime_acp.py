"""OpenCode over the Agent Client Protocol (ACP 1): JSON-RPC on stdio (known: opencode 1.18)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from openruntime.runners import (
    Asked,
    Capabilities,
    Context,
    Home,
    NotReady,
    Observation,
    Outcome,
    Planned,
    Question,
    Replied,
    Said,
    Send,
    SessionStarted,
    Spent,
    Start,
    Thought,
    ToolCall,
    ToolResult,
    TurnEnded,
    streams,
)

name = "opencode"
label = "OpenCode"
programs = ("opencode",)
version_arguments = ("--version",)
capabilities = Capabilities(
    reply="live",
    sessions=True,
    interrupt=True,
    approvals=True,
    edits=False,
    reasons=False,
    attach="opencode --session {session}",
)
install = "npm install -g opencode-ai"

REQUESTS = {"where": {"id": None, "method": None}, "id": "id"}
HOME = Home("OPENCODE_DATA_HOME", ".local/share/opencode")
ASK = json.dumps(dict.fromkeys(("edit", "bash", "webfetch"), "ask"))
ALLOW = json.dumps(dict.fromkeys(("edit", "bash", "webfetch"), "allow"))
#: Else a repository's own `opencode.json` could switch the questions off (measured with 1.18.33).
NO_PROJECT = {"OPENCODE_DISABLE_PROJECT_CONFIG": "1"}
#: Kinds of tools as openRuntime's rules name them.
TOOLS = {"execute": "Bash", "edit": "edit", "delete": "edit", "move": "edit"}
CHUNKS = {"agent_message_chunk": Said, "agent_thought_chunk": Thought}


def start(context: Context) -> Start:
    if context.has_asking_rules and not context.contained:
        raise NotReady("OpenCode does not ask about all it writes: such rules need containment here.")
    text = context.message or context.goal
    hello = {"protocolVersion": 1, "clientCapabilities": {"fs": {}, "terminal": False}}
    place: dict[str, Any] = {"cwd": context.cwd, "mcpServers": []}
    if context.resume and context.session_id:
        opened = _request("session", "session/load", {**place, "sessionId": context.session_id})
    else:
        opened = _request("session", "session/new", place)
    return Start(
        argv=["opencode", "acp"],
        environment={"OPENCODE_PERMISSION": ASK, **NO_PROJECT}
        if context.asks
        else {"OPENCODE_PERMISSION": ALLOW},
        passes=("OPENCODE_*", "ANTHROPIC_*", "OPENAI_*"),
        first_input=_request("initialize", "initialize", hello) + opened,
        requests=REQUESTS,
        shown=f"opencode: {text[:200]}",
        home=HOME,
        hosted=True,
    )


def reader(state: dict[str, Any] | None, context: Context) -> Updates:
    return Updates(state or {}, context)


def reply(text: str, state: Mapping[str, Any] | None) -> bytes | None:
    """The next turn; while one runs the words wait."""
    known = state or {}
    if not known.get("session") or known.get("working"):
        return None
    return _prompt("reply", str(known["session"]), text)


def interrupt(state: Mapping[str, Any] | None) -> bytes | None:
    session = (state or {}).get("session")
    params = {"sessionId": session}
    return streams.dump({"jsonrpc": "2.0", "method": "session/cancel", "params": params}) if session else None


def answer(
    *, allowed: bool, note: str | None, updated_input: Mapping[str, Any] | None, question: Mapping[str, Any]
) -> dict[str, Any] | None:
    options = question.get("options") or {}
    option = options.get("allow_once" if allowed else "reject_once")
    outcome = {"outcome": "selected", "optionId": option} if option else {"outcome": "cancelled"}
    return {"jsonrpc": "2.0", "id": {"$original": "id"}, "result": {"outcome": outcome}}


def _request(id: str, method: str, params: Mapping[str, Any]) -> bytes:
    return streams.dump({"jsonrpc": "2.0", "id": id, "method": method, "params": params})


def _prompt(id: str, session: str, text: str) -> bytes:
    said = [{"type": "text", "text": text}]
    return _request(id, "session/prompt", {"sessionId": session, "prompt": said})


class Updates:
    """Reads `session/update`; a message comes in chunks and is told once it is whole."""

    partial_lines = False

    def __init__(self, state: dict[str, Any], context: Context) -> None:
        self._context = context
        self._session: str | None = state.get("session")
        self._working = bool(state.get("working"))
        self._chunks: list[str] = list(state.get("chunks", ()))  # kind, message id, text
        self._calls: list[str] = list(state.get("calls", ()))
        self._text = str(state.get("text", ""))
        self._used: dict[str, int] = dict(state.get("used", {}))
        self._rejects: list[str] = list(state.get("rejects", ()))  # option ids that deny
        self._denied = bool(state.get("denied"))

    def state(self) -> dict[str, Any] | None:
        return {
            "session": self._session,
            "working": self._working,
            "chunks": list(self._chunks),
            "calls": list(self._calls),
            "text": self._text,
            "used": dict(self._used),
            "rejects": list(self._rejects),
            "denied": self._denied,
        }

    def feed(self, stream: str, lines: Sequence[str], partial: bool = False) -> list[Observation]:
        return streams.observed(stream, lines, self._message, self._said_to)

    def _said_to(self, message: dict[str, Any]) -> list[Observation]:
        if streams.at(message, "method") != "session/prompt":
            chosen = streams.at(message, "result", "outcome", "optionId")
            self._denied = self._denied or chosen in self._rejects
            return []
        self._working, self._denied = True, False
        if streams.at(message, "id") != "reply":
            return []
        said = streams.at(message, "params", "prompt") or [{}]
        return [Replied(str(streams.at(said[0], "text") or ""))]

    def _message(self, message: dict[str, Any]) -> list[Observation]:
        params = message.get("params")
        params = params if isinstance(params, dict) else {}
        match message.get("method"):
            case "session/update" if self._session == params.get("sessionId"):
                return self._update(params.get("update") or {})
            case "session/request_permission":
                return [*self._whole(), self._asked(str(message.get("id")), params)]
            case str(method) if "id" in message:
                error = {"code": -32601, "message": f"{method} is not supported here"}
                answer = streams.dump({"jsonrpc": "2.0", "id": message["id"], "error": error})
                return [Send(f"refuse-{message['id']}", answer)]
            case str():
                return []  # what is replayed while a session is loaded is in the timeline already
        return self._answered(message)

    def _answered(self, message: dict[str, Any]) -> list[Observation]:
        error, result = streams.at(message, "error", "message"), message.get("result") or {}
        if message.get("id") == "session":
            session = streams.at(result, "sessionId") or (not error and self._context.session_id)
            if not session:
                return [
                    TurnEnded(Outcome.FAILED, error=f"OpenCode opened no session: {error or 'no answer'}")
                ]
            self._session = str(session)
            goal = _prompt("prompt", self._session, self._context.message or self._context.goal)
            return [SessionStarted(self._session), Send("prompt", goal)]
        if message.get("id") not in ("prompt", "reply"):
            return []
        self._working = False
        found = self._whole()
        text, self._text = self._text, ""
        return [
            *found,
            self._spent(result.get("usage") or {}),
            self._ended(error, result.get("stopReason"), text),
        ]

    def _update(self, update: Mapping[str, Any]) -> list[Observation]:
        kind = update.get("sessionUpdate")
        if kind in CHUNKS:
            return self._chunk(str(kind), update)
        found = self._whole()
        if kind == "plan":
            steps = [step for step in update.get("entries") or [] if isinstance(step, dict)]
            found.append(Planned([(str(step.get("content")), str(step.get("status"))) for step in steps]))
        elif kind in ("tool_call", "tool_call_update"):
            found += self._call(update)
        elif kind == "usage_update":
            dollars = streams.at(update, "cost", "amount")
            if isinstance(dollars, int | float):
                self._used["cost_micros"] = round(dollars * 1_000_000)
        return found

    def _chunk(self, kind: str, update: Mapping[str, Any]) -> list[Observation]:
        id, text = str(update.get("messageId")), str(streams.at(update.get("content"), "text") or "")
        found = [] if self._chunks[:2] == [kind, id] else self._whole()
        before = self._chunks[2] if self._chunks else ""
        self._chunks = [kind, id, before + text]
        return found

    def _whole(self) -> list[Observation]:
        """The message that was coming in, now that something else does."""
        if not self._chunks:
            return []
        kind, _, text = self._chunks
        self._chunks = []
        self._text = text if kind == "agent_message_chunk" else self._text
        return [CHUNKS[kind](text)] if text.strip() else []

    def _call(self, update: Mapping[str, Any]) -> list[Observation]:
        """A call is told once its input is there, and its result once it has ended."""
        id, status = str(update.get("toolCallId")), update.get("status")
        given = update.get("rawInput")
        found: list[Observation] = []
        if id not in self._calls and (status != "pending" or not _is_empty(given)):
            self._calls.append(id)
            self._used["tool_calls"] = self._used.get("tool_calls", 0) + 1
            tool = TOOLS.get(str(update.get("kind")), str(update.get("kind")))
            title = str(streams.at(given, "command") or update.get("title") or tool)
            found.append(ToolCall(id, tool, title, given if isinstance(given, dict) else {}))
        if status in ("completed", "failed"):
            content = [streams.at(item, "content") or {} for item in update.get("content") or []]
            found.append(ToolResult(id, streams.text_of(content), status == "failed"))
        return found

    def _asked(self, request: str, params: Mapping[str, Any]) -> Asked:
        call = params.get("toolCall") or {}
        given: dict[str, Any] = call["rawInput"] if isinstance(call.get("rawInput"), dict) else {}
        kinds = {item.get("kind"): item.get("optionId") for item in params.get("options") or []}
        self._rejects = [str(id) for kind, id in kinds.items() if str(kind).startswith("reject")]
        tool = TOOLS.get(str(call.get("kind")), str(call.get("kind") or "tool"))
        question = Question(
            request=request,
            tool=tool,
            title=f"OpenCode wants to use {tool}",
            command=given.get("command") if tool == "Bash" else None,
            input={**given, "options": kinds},
            cwd=self._context.cwd,
            tool_use_id=str(call.get("toolCallId")),
        )
        return Asked(question)

    def _spent(self, usage: Mapping[str, Any]) -> Spent:
        """Each turn reports its last request alone, so that the sum is a lower bound; the cost is the whole."""
        cached = int(usage.get("cachedReadTokens") or 0)
        for name, count in (
            ("input_tokens", int(usage.get("inputTokens") or 0) + cached),
            ("cached_tokens", cached),
            ("output_tokens", int(usage.get("outputTokens") or 0)),
        ):
            self._used[name] = self._used.get(name, 0) + count
        return Spent(dict(self._used))

    def _ended(self, error: str | None, reason: Any, text: str) -> TurnEnded:
        if error or reason in (None, "refusal", "max_tokens", "max_turn_requests"):
            return TurnEnded(Outcome.FAILED, text, error or f"The turn ended with {reason or 'no reason'}.")
        if reason == "cancelled":
            return TurnEnded(Outcome.INTERRUPTED, text, "The turn was interrupted.")
        return TurnEnded(Outcome.BLOCKED if self._denied else Outcome.COMPLETED, text)


def _is_empty(given: Any) -> bool:
    return not isinstance(given, dict) or not set(given) - {"cwd"}
