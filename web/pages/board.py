"""The board: the composer, and tasks as cards in columns by state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import Flask, Response, make_response

from shared import tasks
from shared.clock import now
from shared.lifecycle import Status
from shared.store.models import Task
from web.pages import archive, compose, frame, undo
from web.pages.cards import COLUMN_OF, COLUMNS, Card, card, cards
from web.reading import snapshot
from web.security import Authority, authority

#: Cards of one column; older ones are counted.
MOST_CARDS = 60
MOST_DONE = 200
TODAY = timedelta(hours=24)
FILTERS = ("q", "workspace", "runner", "done", "archived")


@dataclass(frozen=True)
class Column:
    """One state's cards, and how many there are altogether."""

    key: str
    title: str
    cards: list[Card]
    total: int


def install(app: Flask) -> None:
    app.add_url_rule("/", "board", board)
    app.add_url_rule("/ui/columns", "columns", columns_partial)
    app.add_url_rule("/ui/cards/<id>", "card", card_partial)


@authority(Authority.PAGE)
def board() -> str:
    """The whole board."""
    with snapshot():
        found = columns()
        composer = compose.composer()
        has_tasks = any(column.total for column in found) or _is_filtered()
        return frame.page(
            "board.html",
            columns=found,
            composer=composer,
            has_tasks=has_tasks or Task.select().exists(),
            is_filtered=_is_filtered(),
            filters={name: _filter(name) for name in FILTERS},
            notice=archive.notice(),
            removed=undo.recently_removed() if _filter("archived") else [],
        )


@authority(Authority.PAGE)
def columns_partial() -> str:
    """All columns, for a script that was away."""
    with snapshot():
        return frame.page(
            "parts/columns.html",
            columns=columns(),
            is_filtered=_is_filtered(),
            filters={"done": _filter("done")},
        )


@authority(Authority.PAGE)
def card_partial(id: str) -> Response:
    """One card as it is now; 204 when it is not on this board."""
    with snapshot():
        task = tasks.get(id)
        shown = _selected().where(Task.number == task.number).exists()
        if not shown:
            return Response(status=204)
        return make_response(card_text(task))


def card_text(task: Task) -> str:
    return frame.page("parts/card.html", card=card(task))


def _is_filtered() -> bool:
    return any(_filter(name) for name in ("q", "workspace", "runner", "archived"))


def _filter(name: str) -> str:
    """A filter of this board; where a link fills the composer, its parameters are not filters."""
    return "" if frame.query("compose") else frame.query(name)


def columns() -> list[Column]:
    """The six columns under the page's filters."""
    found: list[Column] = []
    for key, title in COLUMNS.items():
        statuses = [status for status, column in COLUMN_OF.items() if column == key]
        rows = _selected().where(Task.status.in_(statuses))
        limit = MOST_DONE if key == "done" and _filter("done") == "all" else MOST_CARDS
        shown = list(rows.order_by(*_order(key)).limit(limit))
        found.append(Column(key, title, cards(shown), len(shown) if len(shown) < limit else rows.count()))
    return found


def _order(key: str) -> Sequence[Any]:
    """Who waits longest comes first where somebody waits; elsewhere the newest."""
    if key == "needs":
        return (Task.updated_at, Task.number)
    if key == "queued":
        return (Task.priority.desc(), Task.created_at, Task.number)
    if key == "running":
        return (Task.created_at.desc(), Task.number.desc())
    return (Task.updated_at.desc(), Task.number.desc())


def _selected() -> Any:
    found = Task.select().where(Task.archived_at.is_null(not _filter("archived")))
    if words := _filter("q")[:500]:
        found = found.where(
            Task.title.contains(words) | Task.prompt.contains(words) | Task.id.startswith(words.lower())
        )
    if workspace := _filter("workspace"):
        found = found.where(Task.workspace == workspace)
    if runner := _filter("runner"):
        found = found.where(Task.runner == runner)
    if _filter("done") != "all" and not _is_filtered():
        found = found.where((Task.status != Status.COMPLETED) | (Task.updated_at > now() - TODAY))
    return found
