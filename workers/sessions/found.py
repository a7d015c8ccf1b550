"""One session as a transcript, or an index, tells of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Found:
    """`key` is the same for every file of one session; `parent_id` is a sub-agent's session."""

    session_id: str
    source: str
    key: str
    parent_id: str | None
    title: str | None
    message_count: int
    updated_at: datetime | None = None
