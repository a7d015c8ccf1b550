"""The shapes of answers, for the OpenAPI document; the answers themselves are written by `web.views`."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from shared.events import Kind
from shared.lifecycle import Status


class Result(BaseModel):
    model_config = ConfigDict(extra="allow")


class Problem(Result):
    title: str
    status: int
    detail: str
    slug: str


class Event(Result):
    id: str
    task_id: str
    attempt_id: str | None
    kind: Kind
    message: str
    metadata: dict[str, Any] | None
    created_at: str
    seq: int


class Ledger(Result):
    runtime_millis: int
    input_tokens: int
    output_tokens: int
    tool_calls: int
    estimated_cents: int
    cached_tokens: int
    cost_micros: int | None
    estimated: bool
    unpriced_tokens: int


class Attempt(Result):
    id: str
    task_id: str
    attempt_number: int
    runner: str
    status: Status
    execution_workspace: str | None
    runner_session_id: str | None
    started_at: str
    finished_at: str | None
    exit_status: str | None
    summary: str | None
    runtime_millis: int
    blocked_reason: str | None
    stop_reason: str | None
    exit_code: int | None
    signal: int | None
    cost: Ledger
    usage: dict[str, dict[str, Any]]
    outcome: str | None = Field(description="How its last turn ended, in the agent's terms.")
    hindrance: str | None = Field(description="What holds the live agent up: it tries again.")
    limit_resets_at: str | None


class Pending(Result):
    id: str
    kind: str
    accepted_at: str


class Task(Result):
    id: str
    title: str
    prompt: str
    runner: str
    command: str
    workspace: str
    worktree_path: str | None
    execution_workspace: str | None
    runner_session_id: str | None
    base_commit: str | None
    diff_stat: str | None
    approved_at: str | None
    worktree_merged_at: str | None
    worktree_cleaned_at: str | None
    status: Status
    budget_minutes: int
    policy: dict[str, Any]
    effective_policy: dict[str, Any] | None
    cost_ledger: Ledger
    created_at: str
    updated_at: str
    events: list[Event]
    attempts: list[Attempt]
    current_attempt: Attempt | None
    policy_report: dict[str, Any]
    preset: str
    priority: int
    labels: list[str]
    branch: str | None
    target_branch: str | None
    attention: str | None
    queue_position: int | None
    event_count: int
    stop_reason: str | None
    pending_command: Pending | None


class Reply(Result):
    id: str
    message: str
    mode: str
    state: str = Field(description="queued, delivered, answered, failed or withdrawn.")
    created_at: str
    delivered_at: str | None
    detail: str | None


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


class Landed(Result):
    task: Task
    message: str


class Diff(Result):
    task_id: str
    isolated: bool
    worktree_path: str | None
    runner_session_id: str | None
    base_commit: str | None
    stat: str
    patch: str
    files: list[dict[str, Any]]
    head_oid: str | None
    base_oid: str | None
    captured_at: str | None
    truncated: bool


class Logs(Result):
    task_id: str
    runner: str
    session_id: str | None
    events: list[Event]
    message: str


class Attach(Result):
    task_id: str
    runner: str
    session_id: str | None
    supported: bool
    command: str | None
    message: str
    cwd: str | None
    env: dict[str, str]


class Workspace(Result):
    name: str
    path: str


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


class Deleting(Result):
    task_id: str
    pending_command: Pending


class Health(Result):
    status: str
    storage: str
    version: str
    workers: list[dict[str, Any]]
    broker: str


class Link(Result):
    url: str
    expires_at: str
