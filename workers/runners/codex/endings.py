"""How a Codex turn ended, in the words of `codexErrorInfo` (facts 2.4; measured with 0.169.0)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from workers.runners import streams
from workers.runners.observations import Outcome, TurnEnded

#: A provider whose key is not set is named by its variable.
NO_KEY = "Missing environment variable"
#: How it words a provider that fails without a status: the second is a 500 (measured).
UNREACHABLE = ("stream disconnected", "high demand", "error sending request")
#: `exec` tells a status in its message alone.
STATUS = re.compile(r"(?:last status:|unexpected status) (\d{3})")


def of(turn: Mapping[str, Any], resets_at: float | None, *, declined: bool = False) -> TurnEnded:
    """The end a `turn/completed` tells of; `declined` says that something the agent asked for was."""
    said = [item for item in turn.get("items") or [] if streams.at(item, "type") == "agentMessage"]
    text = str(said[-1].get("text") or "") if said else ""
    match turn.get("status"):
        case "completed":
            return TurnEnded(Outcome.BLOCKED if declined else Outcome.COMPLETED, text)
        case "interrupted":
            return TurnEnded(Outcome.INTERRUPTED, text, "The turn was interrupted.")
    error = turn.get("error") or {}
    message = str(streams.at(error, "message") or "The turn failed.")
    return failure(message, streams.at(error, "codexErrorInfo"), text, resets_at)


def failure(message: str, info: Any, text: str = "", resets_at: float | None = None) -> TurnEnded:
    """A turn that failed, with what a person can do about it."""
    status = _status(info) or _said_status(message)
    if info == "usageLimitExceeded":
        return TurnEnded(Outcome.USAGE_LIMIT, text, message, resets_at)
    if status in (401, 403) or info == "unauthorized" or message.startswith(NO_KEY):
        return TurnEnded(Outcome.LOGIN_MISSING, text, f"{message} Sign in with `codex login`.")
    unreachable = info == "serverOverloaded" or any(words in message for words in UNREACHABLE)
    if status == 429 or (status or 0) >= 500 or unreachable:
        return TurnEnded(Outcome.OUTAGE, text, message)
    return TurnEnded(Outcome.FAILED, text, message)


def _status(info: Any) -> int | None:
    if not isinstance(info, dict):
        return None
    codes = [streams.at(value, "httpStatusCode") for value in info.values()]
    return next((code for code in codes if isinstance(code, int)), None)


def _said_status(message: str) -> int | None:
    found = STATUS.search(message)
    return int(found[1]) if found else None
