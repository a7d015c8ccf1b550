"""Pages of agents' transcripts: asked for by the web process, read by a worker, kept for a moment."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from shared.clock import now
from shared.doorbell import Bell, ring
from shared.store.database import transaction
from shared.store.models import TranscriptPage

#: Reloading a page within this time reads nothing again.
FRESH_SECONDS = 0.2
#: Pages nobody asked for again are forgotten, and there are never more than these.
FORGOTTEN_SECONDS = 600.0
MOST_PAGES = 40


@dataclass(frozen=True)
class Asked:
    """Which entries of which transcript: the first `limit` from `start` on, or the last before `before` (`end`: of all).

    Places are those that pages name.
    """

    runner: str
    path: str
    start: str | None
    before: str | None
    limit: int

    @property
    def key(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def of(cls, key: str) -> Asked:
        return cls(**json.loads(key))


def want(asked: Asked) -> None:
    """Ask a worker for a page, unless it has just been read; and forget old ones."""
    at = now()
    fresh = at - timedelta(seconds=FRESH_SECONDS)
    with transaction():
        newest = TranscriptPage.select(TranscriptPage.request).order_by(TranscriptPage.wanted_at.desc())
        old = TranscriptPage.wanted_at < at - timedelta(seconds=FORGOTTEN_SECONDS)
        TranscriptPage.delete().where(
            old | TranscriptPage.request.not_in(newest.limit(MOST_PAGES - 1))
        ).execute()
        TranscriptPage.insert(request=asked.key, wanted_at=at).on_conflict(
            conflict_target=[TranscriptPage.request],
            update={TranscriptPage.wanted_at: at},
            where=TranscriptPage.read_at.is_null() | (TranscriptPage.read_at < fresh),
        ).execute()
        ring(Bell.WORK)


def read_page(asked: Asked, *, fresh: bool = True) -> dict[str, Any] | None:
    """`{entries, next, previous, size_bytes}`, or `{problem}`; None before a worker has read it.

    With `fresh` only what was read since it was last asked for.
    """
    row = TranscriptPage.get_or_none(TranscriptPage.request == asked.key)
    if row is None or row.read_at is None or (fresh and row.read_at < row.wanted_at):
        return None
    return dict(row.page)


def wanted() -> list[Asked]:
    """The pages that were asked for since they were last read, the first asked first."""
    unread = TranscriptPage.read_at.is_null() | (TranscriptPage.read_at < TranscriptPage.wanted_at)
    rows = TranscriptPage.select(TranscriptPage.request).where(unread).order_by(TranscriptPage.wanted_at)
    return [Asked.of(row.request) for row in rows]


def keep(asked: Asked, page: dict[str, Any]) -> None:
    """Keep what a worker read."""
    with transaction():
        TranscriptPage.update(page=page, read_at=now()).where(TranscriptPage.request == asked.key).execute()
        ring(Bell.CHANGE)
