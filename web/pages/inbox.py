"""The inbox: everything that needs a person, oldest first."""

from __future__ import annotations

from flask import Flask

from shared.lifecycle import Status
from shared.store.models import Task
from web.pages import frame
from web.pages.cards import cards
from web.reading import snapshot
from web.security import Authority, authority

SECTIONS = (
    ("needs", "Waiting for your answer", Status.NEEDS_INPUT),
    ("review", "Ready for review", Status.READY_FOR_REVIEW),
    ("failed", "Failed", Status.FAILED),
)
MOST = 100


def install(app: Flask) -> None:
    app.add_url_rule("/ui/inbox", "inbox", inbox)


@authority(Authority.PAGE)
def inbox() -> str:
    """Answers first, then reviews, then failures."""
    with snapshot():
        sections = []
        for key, title, status in SECTIONS:
            query = Task.select().where(Task.status == status, Task.archived_at.is_null())
            rows = list(query.order_by(Task.updated_at, Task.number).limit(MOST))
            sections.append({"key": key, "title": title, "cards": cards(rows)})
        return frame.page(
            "inbox.html", sections=sections, is_empty=not any(part["cards"] for part in sections)
        )
