"""What there is: workspaces, runners, sessions, costs, secrets, health."""

from __future__ import annotations

from typing import Any

from web.api.results.result import Result


class Workspace(Result):
    name: str
    path: str


class Folders(Result):
    path: str
    parent: str | None
    directories: list[dict[str, Any]]
    truncated: bool


class Runner(Result):
    runner: str
    available: bool
    command: str
    version: str | None
    detail: str | None
    capabilities: dict[str, Any]


class Session(Result):
    runner: str
    session_id: str
    title: str | None
    workspace: str | None
    transcript_path: str | None
    created_at: str | None
    updated_at: str
    source: str
    resume_command: str | None
    message_count: int
    last_message: str | None
    openruntime_task_id: str | None
    managed_by_openruntime: bool


class Sessions(Result):
    sessions: list[Session]
    codex_home: str | None
    claude_home: str | None
    next_cursor: str | None


class Transcript(Result):
    session: Session
    entries: list[dict[str, Any]]
    next: str | None
    previous: str | None
    size_bytes: int


class Cost(Result):
    key: str
    label: str | None
    task_id: str | None
    attempts: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    tool_calls: int | None
    runtime_millis: int | None
    cost_micros: int | None
    estimated: bool
    unpriced_tokens: int


class Costs(Result):
    by: str
    since: str | None
    until: str | None
    rows: list[Cost]
    total: Cost
    truncated: bool
    prices_as_of: str | None


class Presets(Result):
    """Each preset's policy by its name."""


class Secret(Result):
    name: str
    created_at: str
    updated_at: str
    readable: bool


class AgentFile(Result):
    path: str
    runner: str
    digest: str
    size_bytes: int
    content: str
    problem: str | None
    found_at: str
    trusted_at: str | None


class Health(Result):
    status: str
    storage: str
    version: str
    workers: list[dict[str, Any]]
    broker: str
