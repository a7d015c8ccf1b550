"""What we say to `codex app-server`: JSON-RPC without its version field, one object a line (facts 2.4)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from shared.policy import NetworkMode, mcp_tools
from shared.version import VERSION
from workers.runners import Context, Home, streams

HOME = Home(
    "CODEX_HOME",
    ".codex",
    read_only={
        **dict.fromkeys(("config.toml", ".env", "AGENTS.md", "AGENTS.override.md"), ""),
        **dict.fromkeys(("hooks.json",), "{}\n"),
        **dict.fromkeys(("rules", "prompts", "plugins", "hooks", "agents")),
    },
    rewritten=("skills",),
    sessions="sessions",
    logins=("auth.json",),
    settings=("config.toml", "AGENTS.md"),
    keys=("OPENAI_API_KEY", "CODEX_API_KEY"),
    key_file=("auth.json", "OPENAI_API_KEY"),
)
#: The ids of our requests; answers carry them. All replies share one: they are answered in order.
ELICITATION = "mcpServer/elicitation/request"
THREAD, TURN, REPLY, INTERRUPT, CLEAN = "thread", "turn", "reply", "interrupt", "clean"
SETTINGS = "settings"
#: A text bit by bit, before it is told whole: in pieces no secret would be found, and each piece is a line of the log.
UNWANTED = (
    "item/agentMessage/delta",
    "item/plan/delta",
    "item/reasoning/textDelta",
    "item/reasoning/summaryTextDelta",
    "item/fileChange/outputDelta",
    "item/fileChange/patchUpdated",
    "turn/diff/updated",
)


def settings(context: Context) -> list[str]:
    """Its settings that have no place in a request, as options of the program."""
    network = context.policy.network is NetworkMode.ENABLED
    found: dict[str, Any] = {"sandbox_workspace_write.network_access": network}
    for name, server in (context.options.get("mcp_servers") or {}).items():
        tools = mcp_tools.of_server(context.policy.allowed_mcp_tools, name)
        if tools == []:
            continue
        if tools is not None and not any("*" in tool for tool in tools):
            server = {**server, "enabled_tools": tools}
        found |= {f"mcp_servers.{name}.{key}": value for key, value in server.items()}
    words = [word for key, value in found.items() for word in _setting(key, value)]
    return [*trusting(context), *words, *(str(word) for word in context.options.get("arguments") or ())]


def trusting(context: Context) -> list[str]:
    """Whether it obeys the repository's `.codex`, which ends there: never more, and nothing is noted in its home.

    Unsaid, a thread that may write trusts its folder, and writes that into the person's settings (measured, 0.169.0).
    """
    level = "trusted" if context.is_trusted else "untrusted"
    return _setting("projects", {context.cwd: {"trust_level": level}})


def _setting(key: str, value: Any) -> list[str]:
    return ["-c", f"{key}={_toml(value)}"]


def _toml(value: Any) -> str:
    """A value as TOML: JSON is that for text, numbers and lists of them; an object needs `=`."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(item)}" for key, item in value.items()) + "}"
    return json.dumps(value)


def opening(context: Context) -> bytes:
    """Greeting and thread in one go: the server answers them in order (measured with 0.169.0)."""
    hello: dict[str, Any] = {
        "clientInfo": {"name": "openruntime", "version": VERSION},
        "capabilities": {"experimentalApi": True, "optOutNotificationMethods": list(UNWANTED)},
    }
    resumed = context.session_id if context.resume else None
    thread: dict[str, Any] = {
        "cwd": context.cwd,
        "approvalPolicy": "untrusted" if asks(context) else "never",
        # Inside our own containment its nested sandbox cannot start; outside, its own is the only one.
        "sandbox": "danger-full-access" if _is_free(context) else "workspace-write",
    }
    if model := context.options.get("model"):
        thread["model"] = str(model)
    if resumed:
        thread |= {"threadId": resumed, "excludeTurns": True}
    return b"".join(
        (
            streams.dump({"id": "initialize", "method": "initialize", "params": hello}),
            streams.dump({"method": "initialized"}),
            _request(THREAD, "thread/resume" if resumed else "thread/start", thread),
        )
    )


def asks(context: Context) -> bool:
    """Whether it must ask: for its commands and edits, or for tools of servers that the person's own settings name."""
    return context.asks or bool(context.policy.allowed_mcp_tools)


def _is_free(context: Context) -> bool:
    return context.contained or context.policy.workspace_access == "full"


def first_turn(context: Context, thread: str, model: str | None) -> bytes:
    """The turn that carries the goal, or the message a thread is resumed with."""
    more: dict[str, Any] = {}
    if effort := context.options.get("effort"):
        more["effort"] = str(effort)
    if context.options.get("mode") == "plan":
        chosen = {"model": model, "reasoning_effort": more.get("effort"), "developer_instructions": None}
        more["collaborationMode"] = {"mode": "plan", "settings": chosen}
    return turn(thread, context.message or context.goal, TURN, **more)


def turn(thread: str, text: str, id: str, **more: Any) -> bytes:
    said = [{"type": "text", "text": text}]
    return _request(id, "turn/start", {"threadId": thread, "input": said, **more})


def ask(thread: str) -> bytes:
    return _request(SETTINGS, "thread/settings/update", {"threadId": thread, "approvalPolicy": "untrusted"})


def interrupt(thread: str, turn: str) -> bytes:
    """End the turn, and the commands it has running: the interrupt alone leaves them (measured with 0.169.0)."""
    return _request(INTERRUPT, "turn/interrupt", {"threadId": thread, "turnId": turn}) + _request(
        CLEAN, "thread/backgroundTerminals/clean", {"threadId": thread}
    )


def refusal(id: Any, method: str) -> bytes:
    """The answer to a request nobody here can carry out: left open, it would hold the turn up for ever."""
    if method == ELICITATION:
        return streams.dump({"id": id, "result": {"action": "decline", "content": None}})
    return streams.dump({"id": id, "error": {"code": -32601, "message": f"{method} is not supported here"}})


def answers(
    questions: Sequence[Mapping[str, Any]], given: Mapping[str, Any], note: str | None
) -> dict[str, dict[str, list[str]]]:
    """A person's answers, which are by question, by the questions' ids."""
    said = given.get("answers") or {}
    found: dict[str, dict[str, list[str]]] = {}
    for question in questions:
        value = said.get(question.get("question"), note or "")
        values = value if isinstance(value, list) else [value]
        found[str(question.get("id"))] = {"answers": [str(item) for item in values if item]}
    return found


def _request(id: str, method: str, params: Mapping[str, Any]) -> bytes:
    return streams.dump({"id": id, "method": method, "params": params})
