"""The audit log."""

from __future__ import annotations

from typing import Any

from web.api.results.result import Result


class AuditEntry(Result):
    seq: int
    at: str
    actor: str
    kind: str
    object: str
    object_id: str | None
    task_id: str | None
    detail: dict[str, Any] | None
    detail_hash: str
    prev_hash: str
    hash: str


class AuditVerdict(Result):
    stands: bool
    entries: int
    head: str
    first_bad: int | None
    problem: str
