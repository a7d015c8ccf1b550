"""The difference between two tasks of a group, read as a task's own changes are."""

from __future__ import annotations

from dataclasses import dataclass, replace

from flask import Flask, Response, make_response

from shared import groups
from shared.errors import NotFound
from shared.review import points
from shared.review.points import LATEST
from shared.store.models import Comparison, Task, TaskGroup
from web.pages import cards, changes, compared, frame
from web.pages.changes import Look
from web.reading import snapshot
from web.security import Authority, authority, writes


@dataclass(frozen=True)
class Asked:
    """The page as it was asked for: which two tasks, and how their difference is drawn."""

    group: TaskGroup
    members: list[Task]
    first: Task
    second: Task
    look: Look


def install(app: Flask) -> None:
    app.add_url_rule("/ui/groups/<id>/diff", "group_diff", page)
    app.add_url_rule("/ui/groups/<id>/diff/file", "group_diff_file", file_partial)


@authority(Authority.PAGE)
@writes
def page(id: str) -> Response:
    """What would turn the one task's latest state into the other's."""
    asked = _asked(id)
    for task in (asked.first, asked.second):
        changes.look_again(task)
    shown = compared.of(lambda: points.pair(asked.first, LATEST, LATEST, asked.second), asked.look)
    with snapshot():
        text = frame.page(
            "group/diff.html",
            asked=asked,
            numbers={row.number: place for place, row in enumerate(asked.members, start=1)},
            told_apart=cards.told_apart,
            shown=shown,
        )
    return changes.remembered(make_response(text))


@authority(Authority.PAGE)
def file_partial(id: str) -> Response:
    """One file of a comparison that was made."""
    with snapshot():
        members = [row.number for row in groups.members(groups.get(id))]
        wanted = Comparison.id == frame.query("comparison")[:64]
        return compared.one_file(Comparison.get_or_none(wanted, Comparison.task.in_(members)))


def _asked(id: str) -> Asked:
    """The two tasks that are named, or the first two."""
    group = groups.get(id)
    members = groups.members(group)
    if len(members) < 2:
        raise NotFound("There is only one task left of this group.")
    wanted = frame.query("from")[:64] or members[0].id
    other = frame.query("to")[:64] or next(row.id for row in members if row.id != wanted)
    first, second = groups.two(group, wanted, other)
    look = replace(changes.look_asked(), between=(("from", first.id), ("to", second.id)))
    return Asked(group, members, first, second, look)
