"""The store's tables as Peewee models, without behaviour: the verbs stand one folder up."""

from __future__ import annotations

import functools
import json
from datetime import datetime
from typing import Any

import peewee

from shared.clock import from_micros, to_micros
from shared.lifecycle import Status
from shared.store.database import database


def json_text(value: Any) -> str:
    """JSON that SQLite can store and read: NaN and infinities as null, lone surrogates as question marks."""
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError:
        finite = json.loads(json.dumps(value), parse_constant=lambda _: None)
        text = json.dumps(finite, ensure_ascii=False, separators=(",", ":"))
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


class InstantField(peewee.BigIntegerField):
    """An aware UTC datetime, stored as microseconds."""

    def db_value(self, value: datetime | int | None) -> int | None:
        return to_micros(value) if isinstance(value, datetime) else value

    def python_value(self, value: int | None) -> datetime | None:
        return None if value is None else from_micros(value)


class JSONText(peewee.TextField):
    """A JSON value, stored as text."""

    def db_value(self, value: Any) -> str | None:
        return None if value is None else json_text(value)

    def python_value(self, value: str | None) -> Any:
        return None if value is None else json.loads(value)


class StatusField(peewee.TextField):
    """One of the seven status words."""

    def python_value(self, value: str | None) -> Status | None:
        return None if value is None else Status(value)


#: The order in which rows came, for tables with a text key: the clock may jump, this does not.
INSERTED = peewee.SQL("rowid")


class Table(peewee.Model):
    class Meta:
        database = database
        legacy_table_names = False

    @classmethod
    def get_by_id(cls, pk: Any) -> Any:
        """The row with this primary key; raises `DoesNotExist`.

        From a statement that is put together once: Peewee's own building of it costs 1 ms of CPU for a task (measured).
        """
        return cls.raw(_by_key(cls), pk).get()


@functools.cache
def _by_key(table: type[Table]) -> str:
    meta: Any = table._meta
    columns = ", ".join(f'"{field.column_name}"' for field in meta.sorted_fields)
    return f'SELECT {columns} FROM "{meta.table_name}" WHERE "{meta.primary_key.column_name}" = ?'  # noqa: S608


class Workspace(Table):
    id = peewee.TextField(primary_key=True)
    path = peewee.TextField(unique=True)
    name = peewee.TextField()
    defaults = JSONText(default=dict)
    created_at = InstantField()
    updated_at = InstantField()


class Inspection(Table):
    path = peewee.TextField(primary_key=True)
    found = JSONText(null=True)
    wanted_at = InstantField()
    inspected_at = InstantField(null=True)


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
    worktree = JSONText(null=True)
    worktree_path = peewee.TextField(null=True)
    execution_workspace = peewee.TextField(null=True)
    runner_session_id = peewee.TextField(null=True)
    diff_stat = peewee.TextField(null=True)
    ledger = JSONText(default=dict)
    live_attempt = peewee.TextField(null=True)
    granted_rules = JSONText(default=list)
    last_seq = peewee.IntegerField(default=0)
    approved_at = InstantField(null=True)
    approved_attempt = peewee.IntegerField(null=True)
    worktree_merged_at = InstantField(null=True)
    worktree_cleaned_at = InstantField(null=True)
    archived_at = InstantField(null=True)
    created_at = InstantField()
    updated_at = InstantField()


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


class Capture(Table):
    id = peewee.TextField(primary_key=True)
    task_id: int
    task = peewee.ForeignKeyField(Task, column_name="task", on_delete="CASCADE")
    attempt = peewee.TextField(null=True)
    base_oid = peewee.TextField()
    head_oid = peewee.TextField()
    tree_oid = peewee.TextField()
    stat = peewee.TextField()
    files = JSONText()
    flags = JSONText(default=list)
    patch = peewee.BlobField()
    truncated = peewee.BooleanField(default=False)
    fingerprint = peewee.TextField(null=True)
    captured_at = InstantField()


class Landing(Table):
    id = peewee.TextField(primary_key=True)
    task_id: int
    task = peewee.ForeignKeyField(Task, column_name="task", on_delete="CASCADE")
    capture = peewee.TextField()
    strategy = peewee.TextField()
    target_branch = peewee.TextField(null=True)
    state = peewee.TextField()
    intent = peewee.TextField()
    commit_oid = peewee.TextField(null=True)
    previous_oid = peewee.TextField(null=True)
    backup_ref = peewee.TextField(null=True)
    created_at = InstantField()
    finished_at = InstantField(null=True)


class Worker(Table):
    id = peewee.TextField(primary_key=True)
    host = peewee.TextField()
    pid = peewee.IntegerField()
    version = peewee.TextField()
    started_at = InstantField()
    seen_at = InstantField()


class Runner(Table):
    name = peewee.TextField(primary_key=True)
    available = peewee.BooleanField()
    command = peewee.TextField()
    version = peewee.TextField(null=True)
    detail = peewee.TextField(null=True)
    capabilities = JSONText(default=dict)
    seen_at = InstantField()


class AgentSession(Table):
    path = peewee.TextField(primary_key=True)
    runner = peewee.TextField()
    key = peewee.TextField()
    session_id = peewee.TextField()
    parent_id = peewee.TextField(null=True)
    source = peewee.TextField()
    title = peewee.TextField(null=True)
    workspace = peewee.TextField(null=True)
    message_count = peewee.IntegerField(default=0)
    last_message = peewee.TextField(null=True)
    created_at = InstantField(null=True)
    updated_at = InstantField()
    mark = peewee.TextField(default="")
    reader = JSONText(null=True)
    shown = peewee.BooleanField(default=False)


class AgentStore(Table):
    runner = peewee.TextField(primary_key=True)
    home = peewee.TextField(null=True)
    wanted_at = InstantField()
    indexed_at = InstantField(null=True)


class Idempotency(Table):
    key = peewee.TextField(primary_key=True)
    body_hash = peewee.TextField()
    task_id = peewee.TextField()
    created_at = InstantField()


class LoginLink(Table):
    hash = peewee.TextField(primary_key=True)
    expires_at = InstantField()


class Login(Table):
    hash = peewee.TextField(primary_key=True)
    csrf = peewee.TextField()
    created_at = InstantField()
    expires_at = InstantField()


TABLES = (
    Workspace,
    Inspection,
    Task,
    Attempt,
    Event,
    Command,
    Approval,
    Capture,
    Landing,
    Worker,
    Runner,
    AgentSession,
    AgentStore,
    Idempotency,
    LoginLink,
    Login,
)
