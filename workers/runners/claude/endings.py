"""How a turn of Claude Code ended: exit code and `subtype` alone do not say (facts 0.1, 1.2, 1.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from workers.runners.observations import Outcome, TurnEnded

#: A subscription's limit, as the program words it; some versions put the time it is lifted behind a bar.
LIMIT = re.compile(r"(?i)(usage limit reached|hit your (usage )?limit|out of extra usage)(?:\|(\d{9,11}))?")
LOGIN = re.compile(r"(?i)not logged in|/login|invalid api key|authentication|oauth token")
UNREACHABLE = re.compile(r"(?i)unable to connect|connection (error|refused)|timed? ?out|overloaded")


def of(item: Mapping[str, Any], resets_at: float | None) -> TurnEnded:
    """The end a `result` line tells of."""
    text = str(item.get("result") or "")
    error = "; ".join(str(problem) for problem in item.get("errors") or []) or text
    if str(item.get("terminal_reason", "")).startswith("aborted"):
        return TurnEnded(Outcome.INTERRUPTED, text, "The turn was interrupted.")
    if item.get("is_error"):
        return _failure(
            item.get("api_error_status"), text, error or "The agent reported an error.", resets_at
        )
    return TurnEnded(Outcome.BLOCKED if item.get("permission_denials") else Outcome.COMPLETED, text)


def _failure(status: Any, text: str, error: str, resets_at: float | None) -> TurnEnded:
    if found := LIMIT.search(error):
        at = float(found[3]) if found[3] else resets_at
        return TurnEnded(Outcome.USAGE_LIMIT, text, error, at)
    if resets_at is not None and status == 429:
        return TurnEnded(Outcome.USAGE_LIMIT, text, error, resets_at)
    if status in (401, 403) or (status is None and LOGIN.search(error)):
        return TurnEnded(
            Outcome.LOGIN_MISSING, text, f"{error}. Sign in with `claude auth login`, or give it a key."
        )
    if status == 429 or (isinstance(status, int) and status >= 500) or UNREACHABLE.search(error):
        return TurnEnded(Outcome.OUTAGE, text, error)
    return TurnEnded(Outcome.FAILED, text, error)
