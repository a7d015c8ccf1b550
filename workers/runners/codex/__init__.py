"""Codex: `app-server` over stdio, both ways; `mode: oneshot` runs `exec --json` instead (known: 0.169)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.errors import NotReady
from workers.runners import Capabilities, Context, Reader, Start
from workers.runners.codex import oneshot, requests
from workers.runners.codex.app_server import AppServer
from workers.runners.codex.oneshot import ExecJson

name = "codex"
label = "Codex"
programs = ("codex",)
#: The program behind npm's launcher: killed, the launcher leaves it running, and it finishes the turn (facts 0.4).
natives = ("../../codex-*/vendor/*/bin/codex", "../node_modules/@openai/codex-*/vendor/*/bin/codex")
version_arguments = ("--version",)
login_arguments = ("login", "status")
login = "codex login"
capabilities = Capabilities(
    reply="live",
    sessions=True,
    interrupt=True,
    approvals=True,
    reasons=False,
    edits=False,
    modes=("live", "plan", "oneshot"),
    efforts=("minimal", "low", "medium", "high", "xhigh"),
    arguments={"--enable": 1, "--disable": 1},
    #: AGENTS.md and skills are text for the model.
    configured_by=(".codex/**",),
    attach="codex resume --include-non-interactive {session}",
    display="codex exec --json --skip-git-repo-check -s workspace-write -C <workspace> <goal>",
)
install = "npm install -g @openai/codex"
#: Stops by itself at the end of its input; a signal ends it with its children (facts 2.3).
LADDER = (("TERM", 3.0),)
OPENAI = ("https://api.openai.com", "https://chatgpt.com", "https://auth.openai.com")
#: Which lines are questions of the server: those with both an id and a method.
REQUESTS = {"where": {"id": None, "method": None}, "id": "id"}


def start(context: Context) -> Start:
    if context.options.get("mode") == "oneshot":
        if (
            context.has_asking_rules or context.policy.allowed_mcp_tools
        ):  # without any, its own sandbox is the boundary
            raise NotReady(
                "A one-shot agent cannot ask, and this task's policy needs it to; start it live instead."
            )
        return oneshot.start(context)
    text = context.message or context.goal
    return Start(
        argv=["codex", *requests.settings(context), "app-server"],
        passes=("OPENAI_*", "CODEX_*"),
        first_input=requests.opening(context),
        requests=REQUESTS,
        ladder=LADDER,
        shown=f"codex: {text[:200]}",
        home=requests.HOME,
        hosted=True,
    )


def model_urls(environment: Mapping[str, str], settings: Mapping[str, Any]) -> list[str]:
    """Where its model answers: the providers of the person's settings, or OpenAI, and there also logins are renewed."""
    config = settings.get("config.toml", {})
    providers = config.get("model_providers")
    named = providers.values() if isinstance(providers, dict) else ()
    given = [provider.get("base_url") for provider in named if isinstance(provider, dict)]
    given += [
        config.get("openai_base_url"),
        config.get("chatgpt_base_url"),
        environment.get("OPENAI_BASE_URL"),
    ]
    found = [url for url in given if isinstance(url, str)]
    own = config.get("model_provider") not in (None, "openai")
    return found if own and found else [*found, *OPENAI]


def reader(state: dict[str, Any] | None, context: Context) -> Reader:
    if context.options.get("mode") == "oneshot":
        return ExecJson(state or {}, context.options.get("model"))
    return AppServer(state or {}, context)


def reply(text: str, state: Mapping[str, Any] | None) -> bytes | None:
    """A turn of its own, or more of the one that runs: `turn/start` does both, so there is no race between them."""
    thread = (state or {}).get("thread")
    return requests.turn(str(thread), text, requests.REPLY) if thread else None


def set_mode(mode: str, state: Mapping[str, Any] | None) -> bytes | None:
    """Ask from the next turn on; the one that runs keeps its approval policy (measured with 0.169.0)."""
    thread = (state or {}).get("thread")
    return requests.ask(str(thread)) if mode == "ask" and thread else None


def interrupt(state: Mapping[str, Any] | None) -> bytes | None:
    thread, turn = (state or {}).get("thread"), (state or {}).get("turn")
    return requests.interrupt(str(thread), str(turn)) if thread and turn else None


def answer(
    *, allowed: bool, note: str | None, updated_input: Mapping[str, Any] | None, question: Mapping[str, Any]
) -> dict[str, Any] | None:
    """The decision, or the answers to its questions by their ids; the reason of a denial has no room in it."""
    if "questions" in question:
        result: dict[str, Any] = {
            "answers": requests.answers(question["questions"], updated_input or {}, note)
        }
    elif question.keys() == {"server", "tool", "arguments"}:
        result = {"action": "accept" if allowed else "decline", "content": {} if allowed else None}
    else:
        result = {"decision": "accept" if allowed else "decline"}
    return {"id": {"$original": "id"}, "result": result}


def expire(question: Mapping[str, Any], note: str | None) -> dict[str, Any]:
    """Nobody decided in time: what was asked is declined and the turn ends, in one answer."""
    if "questions" in question:
        return {
            "id": {"$original": "id"},
            "result": {"answers": requests.answers(question["questions"], {}, note)},
        }
    return {"id": {"$original": "id"}, "result": {"decision": "cancel"}}
