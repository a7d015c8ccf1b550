"""What was found."""

from __future__ import annotations

from web.api.results.result import Result


class FoundTask(Result):
    id: str
    title: str
    runner: str
    status: str
    workspace: str
    archived_at: str | None
    updated_at: str


class FoundSession(Result):
    runner: str
    session_id: str
    title: str | None
    workspace: str | None
    updated_at: str


class FoundEvent(Result):
    task_id: str
    title: str
    seq: int
    kind: str
    snippet: str
    created_at: str


class SearchResult(Result):
    q: str
    tasks: list[FoundTask]
    sessions: list[FoundSession]
    events: list[FoundEvent]
    next_cursor: str | None
