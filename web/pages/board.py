"""The board: the composer, and tasks as cards in columns by state."""

from __future__ import annotations

from flask import Flask, Response, make_response

from shared import deletion, tasks
from shared.store.models import Task
from web.pages import archive, columns, compose, frame, undo
from web.pages.cards import card
from web.pages.group_cards import GroupCard
from web.reading import snapshot
from web.security import Authority, authority


def install(app: Flask) -> None:
    app.add_url_rule("/", "board", board)
    app.add_url_rule("/ui/columns", "columns", columns_partial)
    app.add_url_rule("/ui/cards/<id>", "card", card_partial)


@authority(Authority.PAGE)
def board() -> str:
    """The whole board."""
    with snapshot():
        found = columns.columns()
        composer = compose.composer()
        has_tasks = any(column.total for column in found) or columns.is_filtered()
        return frame.page(
            "board.html",
            columns=found,
            composer=composer,
            has_tasks=has_tasks or Task.select().exists(),
            is_filtered=columns.is_filtered(),
            filters={name: columns.wish(name) for name in columns.FILTERS},
            notice=archive.notice(),
            removed=undo.recently_removed() if columns.wish("archived") else [],
            deleted=deletion.listed() if columns.wish("archived") else [],
        )


@authority(Authority.PAGE)
def columns_partial() -> str:
    """All columns, for a script that was away."""
    with snapshot():
        return frame.page(
            "parts/columns.html",
            columns=columns.columns(),
            is_filtered=columns.is_filtered(),
            filters={"done": columns.wish("done")},
        )


@authority(Authority.PAGE)
def card_partial(id: str) -> Response:
    """The card that shows this task as it is now, its own or its group's; 204 when neither is on this board."""
    with snapshot():
        found = columns.standing_for(tasks.get(id))
        if found is None:
            return Response(status=204)
        template = "parts/group_card.html" if isinstance(found, GroupCard) else "parts/card.html"
        return make_response(frame.page(template, card=found))


def card_text(task: Task) -> str:
    return frame.page("parts/card.html", card=card(task))
