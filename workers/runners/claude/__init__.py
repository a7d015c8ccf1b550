"""Claude Code: stream-json both ways, permission questions over stdio; `mode: oneshot` runs `claude -p` (known: 2.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.errors import NotReady
from workers.runners import Capabilities, Context, Home, Start, streams
from workers.runners.claude import arguments
from workers.runners.claude.stream_json import StreamJson

name = "claude-code"
label = "Claude Code"
programs = ("claude",)
version_arguments = ("--version",)
login_arguments = ("auth", "status")
login = "claude auth login"
capabilities = Capabilities(
    reply="live",
    sessions=True,
    interrupt=True,
    approvals=True,
    modes=("live", "plan", "oneshot"),
    efforts=("low", "medium", "high", "xhigh", "max"),
    arguments=arguments.ALLOWED,
    attach="claude --resume {session}",
    display="claude -p --output-format stream-json --verbose <goal>",
    #: All of it runs in `-p` without a word (measured, 2.1.197); CLAUDE.md and rules are text for the model.
    configured_by=(
        ".mcp.json",
        ".claude/settings.json",
        ".claude/settings.local.json",
        *(f".claude/{name}/**" for name in ("hooks", "skills", "commands", "agents", "plugins", "workflows")),
    ),
)
install = "npm install -g @anthropic-ai/claude-code"

#: `.claude.json` names servers to start, and the program rewrites it at every start.
HOME = Home(
    "CLAUDE_CONFIG_DIR",
    ".claude",
    read_only={
        **dict.fromkeys(("settings.json", "settings.local.json"), "{}\n"),
        "CLAUDE.md": "",
        **dict.fromkeys(("hooks", "plugins", "agents", "commands", "skills", "output-styles", "rules")),
    },
    copied=(".claude.json",),
    sessions="projects",
    logins=(".credentials.json",),
    settings=("settings.json", "CLAUDE.md"),
    keys=("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"),
    by_folder=True,
)
#: Variables that lead it to another server than Anthropic's.
GATEWAYS = tuple(f"ANTHROPIC_{name}BASE_URL" for name in ("", "BEDROCK_", "VERTEX_", "FOUNDRY_"))
#: Ends by itself on interrupt and end of input; its Bash children survive signals, so the tree is swept after.
LADDER = (("INT", 5.0), ("TERM", 3.0))
#: Which lines are questions: the shim keeps their originals until they are answered.
REQUESTS = {"where": {"type": "control_request"}, "id": "request_id"}


def start(context: Context) -> Start:
    oneshot = context.options.get("mode") == "oneshot"
    if oneshot and context.asks:
        raise NotReady(
            "A one-shot agent cannot ask, and this task's policy needs it to; start it live instead."
        )
    fresh = context.task_id if context.attempt_number == 1 else context.attempt_id
    resumed = context.session_id if context.resume else None
    session = ["--resume", resumed] if resumed else ["--session-id", fresh]
    text = context.message or context.goal
    return Start(
        argv=["claude", "-p", *arguments.of(context), *session],
        environment={"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1"},
        passes=("ANTHROPIC_*", "CLAUDE_*", "DISABLE_AUTOUPDATER"),
        first_input=_plain(text).encode("utf-8", "replace") if oneshot else _user(text),
        close_input=oneshot,
        requests=None if oneshot else REQUESTS,
        ladder=LADDER,
        session_id=resumed or fresh,
        shown=f"claude-code: {text[:200]}",
        home=HOME,
        hosted=True,
    )


def model_urls(environment: Mapping[str, str], settings: Mapping[str, Any]) -> list[str]:
    """Where its model answers: a gateway, a cloud, or Anthropic's own, and there also where logins are renewed."""
    own = settings.get("settings.json", {}).get("env")
    known = {**environment, **(own if isinstance(own, dict) else {})}
    if found := [str(known[name]) for name in GATEWAYS if known.get(name)]:
        return found
    if known.get("CLAUDE_CODE_USE_BEDROCK"):
        return [f"https://bedrock-runtime.{known.get('AWS_REGION') or 'us-east-1'}.amazonaws.com"]
    if known.get("CLAUDE_CODE_USE_VERTEX"):
        region = known.get("CLOUD_ML_REGION") or "global"
        place = "" if region == "global" else f"{region}-"
        return [f"https://{place}aiplatform.googleapis.com", "https://oauth2.googleapis.com"]
    return ["https://api.anthropic.com", "https://platform.claude.com"]


def _plain(text: str) -> str:
    """A leading slash would be a command of the program itself and never reach the model (facts.md 4)."""
    return f"\n{text}" if text.startswith("/") else text


def _user(text: str) -> bytes:
    return streams.dump(
        {
            "type": "user",
            "message": {"role": "user", "content": _plain(text)},
            "parent_tool_use_id": None,
            "session_id": "",
        }
    )


def reader(state: dict[str, Any] | None, context: Context) -> StreamJson:
    return StreamJson(state or {}, context)


def reply(text: str, state: Mapping[str, Any] | None) -> bytes | None:
    return None if (state or {}).get("oneshot") else _user(text)


def set_mode(mode: str, state: Mapping[str, Any] | None) -> bytes | None:
    """Plan first, or work again; nothing else, or rules that ask could be switched off."""
    words = {"plan": "plan", "live": "default"}
    if mode not in words or (state or {}).get("oneshot"):
        return None
    return _control("mode", "set_permission_mode", mode=words[mode])


def interrupt(state: Mapping[str, Any] | None) -> bytes | None:
    if (state or {}).get("oneshot"):
        return None
    return _control("interrupt", "interrupt")


def _control(id: str, subtype: str, **more: str) -> bytes:
    request = {"subtype": subtype, **more}
    return streams.dump({"type": "control_request", "request_id": id, "request": request})


def answer(
    *, allowed: bool, note: str | None, updated_input: Mapping[str, Any] | None, question: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Allow with the original input (edited keys over it), or deny with a reason the model reads."""
    if allowed:
        merged = {"$merge": ["request.input", dict(updated_input or {})]}
        decision: dict[str, Any] = {"behavior": "allow", "updatedInput": merged}
    else:
        decision = {"behavior": "deny", "message": note or "Denied by the person who supervises this task."}
    return _decided(decision)


def expire(question: Mapping[str, Any], note: str | None) -> dict[str, Any]:
    """Nobody decided in time: what was asked is denied and the turn ends, in one answer."""
    return _decided({"behavior": "deny", "message": note or "Nobody answered in time.", "interrupt": True})


def _decided(decision: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "control_response",
        "response": {"subtype": "success", "request_id": {"$original": "request_id"}, "response": decision},
    }
