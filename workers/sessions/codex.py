"""Codex's store: rollouts under `sessions` and `archived_sessions`, and an index of names."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workers.runners.observations import Observation
from workers.sessions import lines, rollout, text
from workers.sessions.found import Found
from workers.sessions.transcript import Transcript, word

RUNNER = "codex"
FOLDERS = ("sessions", "archived_sessions")
INDEX = "session_index.jsonl"
#: Of a longer index the end counts: it is written to by appending.
INDEX_BYTES = 16 * 1024 * 1024
FILE_ID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
#: The same message stands in a transcript as an item of the model's history and as an event.
EVENTS = {"user_message": "user", "agent_message": "assistant"}
ITEMS = {"UserMessage": "user", "AgentMessage": "assistant"}
ROLES = ("user", "assistant")


def home(environment: dict[str, str]) -> str | None:
    """CODEX_HOME as the program reads it, or ~/.codex."""
    given = environment.get("CODEX_HOME")
    if given:
        return os.path.abspath(given)
    person = environment.get("HOME")
    return str(Path(person, ".codex")) if person else None


def fold(seen: Transcript, line: dict[str, Any], path: str) -> None:
    """Add one line of a rollout to what is known of its session."""
    payload = line.get("payload")
    if not isinstance(payload, dict):
        return
    match line.get("type"):
        case "session_meta":
            _meta(seen, payload)
        case "turn_context":
            seen.workspace = word(payload.get("cwd")) or seen.workspace
        case "response_item" if payload.get("type") == "message":
            role = payload.get("role")
            if role in ROLES:
                _message(seen, "item", role, text.text_of(payload.get("content")))
        case "event_msg":
            _event(seen, payload)
    seen.saw(line.get("timestamp"))


def _meta(seen: Transcript, payload: dict[str, Any]) -> None:
    """A fork repeats its origin's meta after its own: the first one counts."""
    if seen.session_id is None:
        seen.session_id = word(payload.get("id"), 200)
        seen.workspace = word(payload.get("cwd")) or seen.workspace
        seen.saw(payload.get("timestamp"))


def _event(seen: Transcript, payload: dict[str, Any]) -> None:
    if role := EVENTS.get(str(payload.get("type"))):
        _message(seen, "event", role, text.text_of(payload.get("message")))
    item = payload.get("item")
    role = ITEMS.get(str(item.get("type"))) if isinstance(item, dict) else None
    if payload.get("type") == "item_completed" and isinstance(item, dict) and role:
        blocks = item.get("content")
        said = (
            [part.get("text") for part in blocks if isinstance(part, dict)]
            if isinstance(blocks, list)
            else []
        )
        whole = "\n".join(part for part in said if isinstance(part, str))
        _message(seen, "completed", role, whole[: text.LOOKED_AT_CHARACTERS])


def _message(seen: Transcript, form: str, role: str, said: str) -> None:
    if not said.strip() or (role == "user" and text.is_synthetic(said)):
        return
    seen.count(f"{form}-{role}", said)
    if role == "user":
        seen.name("prompt", said, first=True)


def result(seen: Transcript, path: str, index: dict[str, Any]) -> Found | None:
    """The session a rollout stands for; None while its lines do not tell."""
    by_name = FILE_ID.search(Path(path).stem)
    id = seen.session_id or (by_name.group() if by_name else None)
    if id is None:
        return None
    count = sum(
        max(seen.counts.get(f"{form}-{role}", 0) for form in ("item", "event", "completed")) for role in ROLES
    )
    entry = index.get(id)
    title = (entry.title if entry else None) or seen.title(("prompt",))
    return Found(id, "codex-jsonl", id, None, title, count, entry.updated_at if entry else None)


def told(line: dict[str, Any], path: str) -> list[Observation]:
    """What one line of a rollout says, as the live stream would have told it."""
    return rollout.told(line)


def beside(path: str, seen: Transcript) -> None:
    """Nothing stands beside a rollout."""


def index(home: str, stopping: Callable[[], bool]) -> dict[str, Any]:
    """Every entry of the index by session id; a later line replaces an earlier one."""
    path = os.path.join(home, INDEX)
    found: dict[str, Any] = {}

    def take(line: dict[str, Any]) -> None:
        id = word(line.get("id"), 200)
        if id is not None:
            title = text.shown(line.get("thread_name"))
            updated = text.instant(line.get("updated_at"))
            found[id] = Found(id, "codex-session-index", id, None, title, 0, updated)

    try:
        start = max(0, os.stat(path).st_size - INDEX_BYTES)
        lines.read(path, lines.Place(start), take, stopping)
    except OSError:
        pass
    return found


def is_subagent(path: str) -> bool:
    """Codex keeps what its sub-agents said as sessions of their own."""
    return False
