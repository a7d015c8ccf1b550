"""Several tasks for one goal in one table, and the choice of one of them."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask
from werkzeug.wrappers import Response as BaseResponse

from shared import groups
from shared.store.models import Task
from web.pages import cards, forms, frame
from web.pages.cards import Card
from web.reading import snapshot
from web.security import Authority, authority


@dataclass(frozen=True)
class Line:
    """One task as it is compared."""

    card: Card
    denied: int
    picked: bool

    @property
    def task(self) -> Task:
        return self.card.task


def install(app: Flask) -> None:
    app.add_url_rule("/ui/groups/<id>", "group_page", page)
    app.add_url_rule("/ui/groups/<id>/pick", "pick_form", pick, methods=["POST"])
    app.add_url_rule("/ui/groups/<id>/unpick", "unpick_form", unpick, methods=["POST"])


@authority(Authority.PAGE)
def page(id: str) -> str:
    with snapshot():
        group = groups.get(id)
        rows = groups.members(group)
        denied = groups.denied(rows)
        lines = [
            Line(card, denied[card.task.number], card.task.id == group.picked) for card in cards.cards(rows)
        ]
        return frame.page("group.html", group=group, lines=lines, first=rows[0])


@forms.action(lambda id: f"group:{id}")
def pick(id: str) -> BaseResponse:
    """Keep one, and go to what it changed."""
    group = groups.pick(groups.get(id), forms.field("task", 64))
    return forms.leave(f"/ui/tasks/{group.picked}/changes")


@forms.action(lambda id: f"group:{id}")
def unpick(id: str) -> BaseResponse:
    return forms.leave(f"/ui/groups/{groups.unpick(groups.get(id)).id}")
