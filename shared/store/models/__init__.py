"""The store's tables as Peewee models, without behaviour: the verbs stand one folder up."""

from __future__ import annotations

from shared.store.models.access import ApiToken, Idempotency, Login, LoginLink, Secret
from shared.store.models.audit import AuditEntry
from shared.store.models.columns import INSERTED, Table, json_text
from shared.store.models.fleet import AgentSession, AgentStore, Runner, TranscriptPage, Worker
from shared.store.models.places import AgentFile, Inspection, Workspace
from shared.store.models.review import (
    Capture,
    CheckResult,
    Comment,
    Comparison,
    KeptVersion,
    Landing,
    Turn,
    ViewedFile,
    ViewedHunk,
)
from shared.store.models.work import Approval, Attempt, Command, Event, Task, TaskGroup

TABLES = (
    Workspace,
    Inspection,
    AgentFile,
    TaskGroup,
    Task,
    Attempt,
    Event,
    Command,
    Approval,
    Capture,
    KeptVersion,
    Turn,
    Comparison,
    ViewedFile,
    ViewedHunk,
    Comment,
    Landing,
    CheckResult,
    Worker,
    Runner,
    AgentSession,
    AgentStore,
    TranscriptPage,
    Idempotency,
    LoginLink,
    Login,
    ApiToken,
    Secret,
    AuditEntry,
)

__all__ = [
    "INSERTED",
    "TABLES",
    "AgentFile",
    "AgentSession",
    "AgentStore",
    "ApiToken",
    "Approval",
    "Attempt",
    "AuditEntry",
    "Capture",
    "CheckResult",
    "Command",
    "Comment",
    "Comparison",
    "Event",
    "Idempotency",
    "Inspection",
    "KeptVersion",
    "Landing",
    "Login",
    "LoginLink",
    "Runner",
    "Secret",
    "Table",
    "Task",
    "TaskGroup",
    "TranscriptPage",
    "Turn",
    "ViewedFile",
    "ViewedHunk",
    "Worker",
    "Workspace",
    "json_text",
]
