"""Words looked for in tasks, sessions and timelines."""

from __future__ import annotations

from typing import Any

from flask import Response

from shared import search
from shared.agents import sessions
from shared.agents.sessions import Session
from shared.clock import from_micros, rfc3339
from shared.search import Hit
from shared.store.models import Task
from web import answers
from web.api import results, schemas
from web.reading import snapshot
from web.resource import Resource
from web.security import Authority, authority

api = Resource("search", __name__)

#: Tasks and sessions of one answer; events go on by the cursor.
BESIDE = 20
MOST = 200


@api.get("/search", responses={200: results.SearchResult})
@authority(Authority.CLIENT)
def look(query: schemas.Search) -> Response:
    """Tasks, sessions and events that have every word; `next_cursor` goes on with older events."""
    words = search.words_of(query.q)
    with snapshot():
        found = search.events(words, min(query.limit, MOST), int(query.cursor) if query.cursor else None)
        first = query.cursor is None
        return answers.value(
            {
                "q": query.q,
                "tasks": [_task(task) for task in search.tasks(words, BESIDE)] if first else [],
                "sessions": [_session(row) for row in found_sessions(words)] if first else [],
                "events": [_event(hit) for hit in found.hits],
                "next_cursor": None if found.following is None else str(found.following),
            }
        )


def found_sessions(words: list[str]) -> list[Session]:
    """Sessions that have the first word, of which those with all stay."""
    rows = sessions.listed(runner=None, text=words[0], limit=BESIDE * 5, after=None, top=False)
    wanted = [word.lower() for word in words[1:]]
    return [row for row in rows if all(word in _said(row) for word in wanted)][:BESIDE]


def _said(row: Session) -> str:
    return "\n".join(filter(None, (row.title, row.workspace, row.last_message, row.session_id))).lower()


def _task(task: Task) -> dict[str, Any]:
    return {
        "id": task.id,
        "title": task.title,
        "runner": task.runner,
        "status": task.status,
        "workspace": task.workspace,
        "archived_at": rfc3339(task.archived_at),
        "updated_at": rfc3339(task.updated_at),
    }


def _session(row: Session) -> dict[str, Any]:
    return {
        "runner": row.runner,
        "session_id": row.session_id,
        "title": row.title,
        "workspace": row.workspace,
        "updated_at": rfc3339(from_micros(row.updated_at)),
    }


def _event(hit: Hit) -> dict[str, Any]:
    return {
        "task_id": hit.task.id,
        "title": hit.task.title,
        "seq": hit.seq,
        "kind": hit.kind,
        "snippet": hit.snippet,
        "created_at": rfc3339(hit.created_at),
    }
