"""Requests and rules."""

from __future__ import annotations

from typing import Any

from web.api.results.result import Result


class Approval(Result):
    id: str
    task_id: str
    attempt_id: str
    status: str
    tool: str
    title: str
    command: str | None
    input: dict[str, Any]
    cwd: str | None
    risk: list[str]
    rule: str | None
    choices: list[Any]
    scope: str | None
    note: str | None
    decided_by: str | None
    created_at: str
    decided_at: str | None
    delivered_at: str | None
    confirmed_at: str | None
    expires_at: str | None
    updated_input: dict[str, Any] | None
    tool_use_id: str | None
    task_rule: dict[str, Any] | None


class Rule(Result):
    """A rule of one task; `id` names it."""

    id: str
    tool: str
    action: str
