"""A task, its attempts, events and replies."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from shared.events import Kind
from shared.lifecycle import Status
from shared.task_place import TaskPlace
from web.api.results.result import Result


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
    policy_hash: str
    preset: str
    priority: int
    labels: list[str]
    group_id: str | None
    place: TaskPlace | None = Field(description="What it works in; null until it has started.")
    branch: str | None
    target_branch: str | None
    attention: str | None
    queue_position: int | None
    event_count: int
    stop_reason: str | None
    pending_command: Pending | None


class Changes(Result):
    files: int
    added: int
    removed: int


class Member(Result):
    """A task without its events, attempts, prompt and policies; with the figures it is compared by."""

    id: str
    title: str
    runner: str
    status: Status
    cost_ledger: Ledger
    changes: Changes | None
    denied_calls: int
    archived_at: str | None


class Group(Result):
    id: str
    base_commit: str | None = Field(description="Where every task of it begins; null before the first start.")
    picked: str | None = Field(description="The id of the task that was picked.")
    created_at: str
    tasks: list[Member]


class FileOfTask(Result):
    task_id: str
    status: str
    additions: int
    deletions: int
    version: str = Field(description="The same letter for tasks that made the same of this file.")


class FileOfGroup(Result):
    path: str
    path_b64: str | None
    tasks: list[FileOfTask]


class GroupFiles(Result):
    group_id: str
    task_ids: list[str] = Field(description="The tasks that have a capture.")
    total: int = Field(description="How many files there are; `files` has the first 5,000.")
    files: list[FileOfGroup]


class StateOfTask(Result):
    task_id: str
    tree_oid: str
    captured_at: str | None


class GroupDiff(Result):
    group_id: str
    from_: StateOfTask = Field(alias="from")
    to: StateOfTask
    rebased: bool = Field(
        description="Whether they stand on different bases, whose changes are among the differences."
    )
    stat: str
    patch: str
    files: list[dict[str, Any]]
    total_files: int
    next_cursor: str | None
    truncated: bool


class Reply(Result):
    id: str
    message: str
    mode: str
    state: str = Field(description="queued, delivered, answered, failed or withdrawn.")
    created_at: str
    delivered_at: str | None
    detail: str | None


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


class DeletedTask(Result):
    id: str
    title: str
    runner: str
    workspace: str
    status: str
    event_count: int
    deleted_at: str
    kept_until: str = Field(description="When it goes for good.")


class Deleting(Result):
    task_id: str
    pending_command: Pending
