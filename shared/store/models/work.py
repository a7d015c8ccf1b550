"""What a task is made of: its attempts, events, commands and approvals."""

from __future__ import annotations

from typing import Any

import peewee

from shared.store.models.columns import InstantField, JSONText, StatusField, Table


class TaskGroup(Table):
    id = peewee.TextField(primary_key=True)
    base_commit = peewee.TextField(null=True)
    picked = peewee.TextField(null=True)
    set_aside = JSONText(default=list)
    created_at = InstantField()


class Task(Table):
    number = peewee.AutoField()
    id = peewee.TextField(unique=True)
    title = peewee.TextField()
    prompt = peewee.TextField()
    runner = peewee.TextField()
    command = peewee.TextField()
    workspace = peewee.TextField()
    status = StatusField()
    stop_reason = peewee.TextField(null=True)
    budget_minutes = peewee.IntegerField()
    preset = peewee.TextField()
    policy = JSONText()
    effective_policy = JSONText(null=True)
    policy_report = JSONText(default=dict)
    options = JSONText(default=dict)
    labels = JSONText(default=list)
    priority = peewee.IntegerField(default=0)
    base_ref = peewee.TextField(null=True)
    target_branch = peewee.TextField(null=True)
    branch = peewee.TextField(null=True)
    base_commit = peewee.TextField(null=True)
    place = peewee.TextField(null=True)
    worktree = JSONText(null=True)
    worktree_path = peewee.TextField(null=True)
    port_base = peewee.IntegerField(null=True)
    execution_workspace = peewee.TextField(null=True)
    runner_session_id = peewee.TextField(null=True)
    diff_stat = peewee.TextField(null=True)
    ledger = JSONText(default=dict)
    live_attempt = peewee.TextField(null=True)
    checks = JSONText(default=list)
    granted_rules = JSONText(default=list)
    granted_hosts = JSONText(default=list)
    last_seq = peewee.IntegerField(default=0)
    approved_at = InstantField(null=True)
    approved_attempt = peewee.IntegerField(null=True)
    approved_hash = peewee.TextField(null=True)
    agent_files = JSONText(default=list)
    worktree_merged_at = InstantField(null=True)
    worktree_cleaned_at = InstantField(null=True)
    archived_at = InstantField(null=True)
    deleted_at = InstantField(null=True)
    group_id = peewee.TextField(null=True)
    created_at = InstantField()
    updated_at = InstantField()

    @classmethod
    def select(cls, *fields: Any) -> Any:
        """Every task but the deleted ones, which are kept out of sight: no list, page or count may know them."""
        return cls.every(*fields).where(cls.deleted_at.is_null())

    @classmethod
    def every(cls, *fields: Any) -> Any:
        """Deleted tasks too."""
        return super().select(*fields)


class Attempt(Table):
    id = peewee.TextField(primary_key=True)
    task_id: int
    task = peewee.ForeignKeyField(Task, column_name="task", backref="attempts", on_delete="CASCADE")
    attempt_number = peewee.IntegerField()
    runner = peewee.TextField()
    status = StatusField()
    priority = peewee.IntegerField(default=0)
    stop_reason = peewee.TextField(null=True)
    blocked_reason = peewee.TextField(null=True)
    resume = peewee.BooleanField(default=False)
    message = peewee.TextField(null=True)
    execution_workspace = peewee.TextField(null=True)
    runner_session_id = peewee.TextField(null=True)
    queued_at = InstantField()
    claims = peewee.IntegerField(default=0)
    worker = peewee.TextField(null=True)
    epoch = peewee.IntegerField(default=0)
    identity = JSONText(null=True)
    log_offset = peewee.IntegerField(default=0)
    reader_state = JSONText(null=True)
    runner_state = JSONText(null=True)
    started_at = InstantField(null=True)
    finished_at = InstantField(null=True)
    exit_status = peewee.TextField(null=True)
    exit_code = peewee.IntegerField(null=True)
    signal = peewee.IntegerField(null=True)
    summary = peewee.TextField(null=True)
    runtime_millis = peewee.IntegerField(default=0)
    cost = JSONText(default=dict)
    hindrance = peewee.TextField(null=True)
    outcome = peewee.TextField(null=True)
    limit_resets_at = InstantField(null=True)
    usage = JSONText(default=dict)


class Event(Table):
    position = peewee.AutoField()
    task_id: int
    task = peewee.ForeignKeyField(Task, column_name="task", on_delete="CASCADE")
    seq = peewee.IntegerField()
    attempt = peewee.TextField(null=True)
    kind = peewee.TextField()
    message = peewee.TextField()
    metadata = JSONText(null=True)
    created_at = InstantField()


class Command(Table):
    id = peewee.TextField(primary_key=True)
    task_id: int
    task = peewee.ForeignKeyField(Task, column_name="task", on_delete="CASCADE")
    attempt = peewee.TextField(null=True)
    kind = peewee.TextField()
    body = JSONText(default=dict)
    state = peewee.TextField(default="accepted")
    result = JSONText(null=True)
    worker = peewee.TextField(null=True)
    accepted_at = InstantField()
    rung_at = InstantField()
    taken_at = InstantField(null=True)
    finished_at = InstantField(null=True)


class Approval(Table):
    id = peewee.TextField(primary_key=True)
    task_id: int
    task = peewee.ForeignKeyField(Task, column_name="task", on_delete="CASCADE")
    attempt = peewee.TextField()
    request = peewee.TextField()
    status = peewee.TextField(default="pending")
    tool = peewee.TextField()
    title = peewee.TextField()
    command = peewee.TextField(null=True)
    input = JSONText(default=dict)
    cwd = peewee.TextField(null=True)
    risk = JSONText(default=list)
    rule = peewee.TextField(null=True)
    choices = JSONText(default=list)
    scope = peewee.TextField(null=True)
    note = peewee.TextField(null=True)
    updated_input = JSONText(null=True)
    decided_by = peewee.TextField(null=True)
    created_at = InstantField()
    decided_at = InstantField(null=True)
    delivered_at = InstantField(null=True)
    expires_at = InstantField(null=True)
    confirmed_at = InstantField(null=True)
    tool_use_id = peewee.TextField(null=True)
