"""Claude Code's store: `projects/<folder>/<session>.jsonl`, its sub-agents' transcripts beside it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workers import beneath
from workers.runners import streams
from workers.runners.claude import blocks
from workers.runners.observations import Noticed, Observation, Replied
from workers.sessions import lines, text
from workers.sessions.found import Found
from workers.sessions.transcript import Transcript, word

RUNNER = "claude-code"
FOLDERS = ("projects",)
SESSION_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
AGENT_STEM = re.compile(r"agent-\S+")
#: A person's own title first; what was said last is better than nothing.
TITLES = ("custom", "ai", "summary", "description", "prompt", "last-prompt")
META_BYTES = 64 * 1024


def home(environment: dict[str, str]) -> str | None:
    """CLAUDE_CONFIG_DIR as the program reads it, the older CLAUDE_HOME, or ~/.claude."""
    given = environment.get("CLAUDE_CONFIG_DIR") or environment.get("CLAUDE_HOME")
    if given:
        return os.path.abspath(given)
    person = environment.get("HOME")
    return str(Path(person, ".claude")) if person else None


def fold(seen: Transcript, line: dict[str, Any], path: str) -> None:
    """Add one line of a transcript to what is known of its session."""
    sidechain = line.get("isSidechain") is True
    if sidechain and not is_subagent(path):
        return  # older versions wrote sub-agents into the session's own file
    seen.session_id = seen.session_id or word(line.get("sessionId"), 200)
    seen.agent_id = seen.agent_id or word(line.get("agentId"), 200)
    seen.workspace = seen.workspace or word(line.get("cwd"))
    seen.saw(line.get("timestamp"))
    match line.get("type"):
        case "custom-title":
            seen.name("custom", line.get("customTitle"))
        case "ai-title":
            seen.name("ai", line.get("aiTitle") or line.get("title"))
        case "summary":
            seen.name("summary", line.get("summary"))
        case "last-prompt":
            seen.name("last-prompt", line.get("lastPrompt"))
        case "user" | "assistant":
            _message(seen, line)


def _message(seen: Transcript, line: dict[str, Any]) -> None:
    message = line.get("message")
    if not isinstance(message, dict) or line.get("isMeta") is True or line.get("isCompactSummary") is True:
        return
    said = text.text_of(message.get("content"))
    if not said.strip():
        return
    if line["type"] == "assistant":
        seen.count("message", said, message.get("id"))
    elif not text.is_synthetic(said):
        seen.count("message", said)
        seen.name("prompt", said, first=True)


def is_subagent(path: str) -> bool:
    """By its place, or by its name where an older version put it beside the session."""
    place = Path(path)
    return place.parent.name == "subagents" or AGENT_STEM.fullmatch(place.stem) is not None


def result(seen: Transcript, path: str, _: dict[str, Any]) -> Found | None:
    """The session a transcript stands for; None while its lines do not tell."""
    place = Path(path)
    count = seen.counts.get("message", 0)
    if is_subagent(path):
        return _subagent(seen, place, count)
    id = place.stem if SESSION_ID.fullmatch(place.stem) else seen.session_id or word(place.stem, 200)
    if id is None or (seen.created_at is None and seen.session_id is None):
        return None
    return Found(id, "claude-project-jsonl", id, None, seen.title(TITLES), count)


def _subagent(seen: Transcript, place: Path, count: int) -> Found | None:
    name = f"agent-{seen.agent_id}" if seen.agent_id else word(place.stem, 200)
    folder = place.parent.parent.name if place.parent.name == "subagents" else None
    parent = seen.session_id or word(folder, 200)
    if name is None:
        return None
    title = seen.title(TITLES)
    key = f"{parent or place.parent}/{name}"
    return Found(name, "claude-subagent-jsonl", key, parent, title, count)


def told(line: dict[str, Any], path: str) -> list[Observation]:
    """What one line of a transcript says, as the live stream would have told it."""
    if line.get("isSidechain") is True and not is_subagent(path):
        return []
    content = streams.at(line, "message", "content")
    match line.get("type"):
        case "assistant":
            return blocks.said(content)
        case "user":
            return [*_heard(line, streams.text_of(content)), *blocks.given_back(content)]
        case "system" if isinstance(line.get("content"), str):
            return [Noticed(text.gist(line["content"]))]
    return []


def _heard(line: dict[str, Any], said: str) -> list[Observation]:
    """What a person wrote, or a program in a person's name."""
    if not said.strip():
        return []
    written = line.get("isMeta") is True or line.get("isCompactSummary") is True or text.is_synthetic(said)
    return [Noticed(text.gist(said))] if written else [Replied(said)]


def beside(path: str, seen: Transcript) -> None:
    """A sub-agent's description stands in a file beside its transcript."""
    if not is_subagent(path):
        return
    try:
        file = beneath.open_regular(f"{path.removesuffix('.jsonl')}.meta.json")
    except OSError:
        return
    with open(file, "rb") as stream:
        meta = lines.parsed(stream.read(META_BYTES))
    if meta is not None:
        seen.name("description", meta.get("description"))


def index(home: str, stopping: Callable[[], bool]) -> dict[str, Any]:
    """Claude keeps no index that names sessions."""
    return {}
