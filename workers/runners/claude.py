"""Claude Code, two-way: stream-json in and out, permission questions over stdio (known: 2.1.x)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shared.approvals import Question
from workers.runners import Capabilities, Context, Start, streams
from workers.runners.claude_tokens import Counter
from workers.runners.observations import (
    Asked,
    Noticed,
    Observation,
    Outcome,
    Output,
    Replied,
    Said,
    SessionStarted,
    Spent,
    Thought,
    ToolCall,
    ToolResult,
    TurnEnded,
    Withdrawn,
)

name = "claude-code"
label = "Claude Code"
programs = ("claude",)
version_arguments = ("--version",)
capabilities = Capabilities(
    reply="live",
    sessions=True,
    interrupt=True,
    approvals=True,
    attach="claude --resume {session}",
    display="claude -p --output-format stream-json --verbose <goal>",
)
install = "npm install -g @anthropic-ai/claude-code"

ARGUMENTS = "-p --output-format stream-json --input-format stream-json --verbose --permission-prompt-tool stdio".split()
#: Ends by itself on interrupt and end of input; its Bash children survive signals, so the tree is swept after.
LADDER = (("INT", 5.0), ("TERM", 3.0))
#: Which lines are questions: the shim keeps their originals until they are answered.
REQUESTS = {"where": {"type": "control_request"}, "id": "request_id"}
QUESTIONS = ("AskUserQuestion", "ExitPlanMode")


def start(context: Context) -> Start:
    fresh = context.task_id if context.attempt_number == 1 else context.attempt_id
    resumed = context.session_id if context.resume else None
    session = ["--resume", resumed] if resumed else ["--session-id", fresh]
    text = context.message or context.goal
    return Start(
        argv=["claude", *ARGUMENTS, *session],
        environment={"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1"},
        passes=("ANTHROPIC_*", "CLAUDE_*", "DISABLE_AUTOUPDATER"),
        first_input=_user(text),
        requests=REQUESTS,
        ladder=LADDER,
        session_id=resumed or fresh,
        shown=f"claude-code: {text[:200]}",
        agent_home=("CLAUDE_CONFIG_DIR", ".claude"),
        hosted=True,
    )


def _user(text: str) -> bytes:
    #: A leading slash would be a command of the program itself and never reach the model (facts.md 4).
    said = f"\n{text}" if text.startswith("/") else text
    return streams.dump(
        {
            "type": "user",
            "message": {"role": "user", "content": said},
            "parent_tool_use_id": None,
            "session_id": "",
        }
    )


def reply(text: str, state: Mapping[str, Any] | None) -> bytes | None:
    return _user(text)


def interrupt(state: Mapping[str, Any] | None) -> bytes | None:
    return streams.dump(
        {"type": "control_request", "request_id": "interrupt", "request": {"subtype": "interrupt"}}
    )


def answer(
    *, allowed: bool, note: str | None, updated_input: Mapping[str, Any] | None, question: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Allow with the original input (edited keys over it), or deny with a reason the model reads."""
    if allowed:
        merged = {"$merge": ["request.input", dict(updated_input or {})]}
        decision: dict[str, Any] = {"behavior": "allow", "updatedInput": merged}
    else:
        decision = {"behavior": "deny", "message": note or "Denied by the person who supervises this task."}
    return {
        "type": "control_response",
        "response": {"subtype": "success", "request_id": {"$original": "request_id"}, "response": decision},
    }


def reader(state: dict[str, Any] | None, context: Context) -> StreamJson:
    return StreamJson(state or {}, context)


class StreamJson:
    """Reads `--output-format stream-json`; totals and open background tasks survive a re-attach."""

    partial_lines = False

    def __init__(self, state: dict[str, Any], context: Context) -> None:
        self._cwd = context.cwd
        self._tools = int(state.get("tools", 0))
        self._background: set[str] = set(state.get("background", ()))
        self._greeted = bool(state.get("greeted"))
        self._session = state.get("session")
        self._tokens = Counter(state.get("tokens"))
        self._by_type: dict[str, Callable[[dict[str, Any]], list[Observation]]] = {
            "system": self._system,
            "assistant": self._assistant,
            "user": self._user,
            "result": self._result,
            "control_request": self._control_request,
            "control_cancel_request": lambda item: [Withdrawn(str(item.get("request_id")))],
            "control_response": lambda item: [],
            "stream_event": lambda item: [],
        }

    def state(self) -> dict[str, Any] | None:
        return {
            "tools": self._tools,
            "background": sorted(self._background),
            "greeted": self._greeted,
            "session": self._session,
            "tokens": self._tokens.state(),
        }

    def feed(self, stream: str, lines: Sequence[str], partial: bool = False) -> list[Observation]:
        if stream == "stdin":
            return [seen for line in lines for seen in self._said_to(line)]
        found: list[Observation] = []
        for line in lines:
            item = streams.parse(line) if stream == "stdout" else None
            if item is None:
                found += [Output(stream, [line])] if line.strip() else []
            else:
                found += self._by_type.get(str(item.get("type")), self._other)(item)
        return found

    def _said_to(self, line: str) -> list[Observation]:
        item = streams.parse(line)
        if streams.at(item, "type") != "user":
            return []
        if not self._greeted:
            self._greeted = True
            return []
        return [Replied(streams.text_of(streams.at(item, "message", "content")).strip())]

    def _system(self, item: dict[str, Any]) -> list[Observation]:
        kind = item.get("subtype")
        if kind == "init":
            session = item.get("session_id")
            known, self._session = self._session, session
            return [SessionStarted(str(session))] if session and session != known else []
        if kind == "api_retry":
            status = item.get("error_status") or item.get("error")
            text = f"Retrying the model API ({item.get('attempt')} of {item.get('max_retries')}): {status}"
            return [Noticed(text, {"event_type": "api_retry"})]
        task = str(item.get("task_id"))
        if kind == "task_started" and item.get("task_type") == "local_bash":
            self._background.add(task)
        if kind == "task_notification" or streams.at(item, "patch", "status") in (
            "completed",
            "failed",
            "killed",
        ):
            self._background.discard(task)
        return []

    def _assistant(self, item: dict[str, Any]) -> list[Observation]:
        found: list[Observation] = []
        for block in streams.at(item, "message", "content") or []:
            kind = streams.at(block, "type")
            if kind == "text" and block.get("text"):
                found.append(Said(block["text"]))
            elif kind == "thinking" and block.get("thinking"):
                found.append(Thought(block["thinking"]))
            elif kind == "tool_use":
                self._tools += 1
                given = block.get("input") or {}
                found.append(ToolCall(str(block.get("id")), str(block.get("name")), _title(block), given))
        spending = self._tokens.call(item, self._tools)
        return [*found, Spent(spending)] if spending else found

    def _user(self, item: dict[str, Any]) -> list[Observation]:
        content = streams.at(item, "message", "content")
        return [
            ToolResult(
                str(block.get("tool_use_id")),
                streams.text_of(block.get("content")),
                bool(block.get("is_error")),
            )
            for block in (content if isinstance(content, list) else [])
            if streams.at(block, "type") == "tool_result"
        ]

    def _result(self, item: dict[str, Any]) -> list[Observation]:
        found: list[Observation] = [Spent(self._tokens.result(item, self._tools))]
        if self._background:
            return found
        text = str(item.get("result") or "")
        errors = "; ".join(str(error) for error in item.get("errors") or [])
        if str(item.get("terminal_reason", "")).startswith("aborted"):
            return [*found, TurnEnded(Outcome.INTERRUPTED, text, errors or "The turn was interrupted.")]
        if item.get("is_error"):
            return [*found, TurnEnded(Outcome.FAILED, text, errors or text or "The agent reported an error.")]
        outcome = Outcome.BLOCKED if item.get("permission_denials") else Outcome.COMPLETED
        return [*found, TurnEnded(outcome, text)]

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
            cwd=self._cwd,
            choices=tuple(given.get("questions") or ()) if tool in QUESTIONS else (),
        )
        return [Asked(question)]

    def _other(self, item: dict[str, Any]) -> list[Observation]:
        return [Noticed(f"{item.get('type')}", {"event_type": str(item.get("type"))})]


def _title(block: Mapping[str, Any]) -> str:
    given = block.get("input") or {}
    subject = next(
        (given[key] for key in ("command", "file_path", "pattern", "url", "description") if given.get(key)),
        "",
    )
    return f"{block.get('name')} {subject}".strip()


def _asks(tool: str, given: Mapping[str, Any]) -> str:
    if tool == "AskUserQuestion":
        return "Claude asks: " + str(streams.at((given.get("questions") or [{}])[0], "question") or "")
    if tool == "ExitPlanMode":
        return "Claude proposes a plan"
    if tool == "Bash":
        return "Claude wants to run a command"
    return f"Claude wants to use {tool}"
