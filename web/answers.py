"""JSON answers: a value, or a task with its latest events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import urlencode

from flask import Response, request

from shared.store.models import Task
from web import event_text, views
from web.reading import snapshot

#: An answer with events stops growing here (contract 5).
ANSWER_BYTES = 8 * 1024 * 1024
#: A task shows this many of its newest events.
EVENTS = 500


def value(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return text(views.text(content), status, headers)


def text(content: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(content, status=status, mimetype="application/json", headers=headers)


def task(row: Task, changed: Mapping[str, Any] | None = None, status: int = 200) -> Response:
    """A task with its newest events; `changed` replaces fields."""
    return text(task_text(row, changed), status)


def task_text(row: Task, changed: Mapping[str, Any] | None = None, events: int | None = EVENTS) -> str:
    """One task at one moment. `events_truncated` says whether older ones are left out."""
    with snapshot():
        row = Task.get_by_id(row.number)
        view = {**views.task_views([row])[0], **(changed or {})}
        texts, _ = event_text.latest(row, events, ANSWER_BYTES)
    view["events_truncated"] = len(texts) < row.last_seq
    return views.with_events(view, texts)


class Part(Protocol):
    """The query of a short list: how many, and how many before them."""

    limit: int
    cursor: str


def part(items: Sequence[Any], query: Part) -> Response:
    """One page of a list that is at hand as a whole."""
    start = int(query.cursor)
    end = start + query.limit
    return array(
        [views.text(item) for item in items[start:end]], {"cursor": end} if end < len(items) else None
    )


def array(texts: Sequence[str], following: Mapping[str, Any] | None = None) -> Response:
    """A JSON array of texts; `following` are the query parameters that lead to the next page."""
    headers = {}
    if following:
        query = urlencode({**request.args.to_dict(), **following})
        headers["Link"] = f'<{request.path}?{query}>; rel="next"'
    return text(f"[{','.join(texts)}]", headers=headers)
