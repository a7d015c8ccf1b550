"""The difference between two tasks of a group, read as a task's own changes are."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from flask import Flask, Response, make_response
from markupsafe import Markup

from shared import groups
from shared.errors import NotFound, Refused
from shared.review import points
from shared.review.points import Pair
from shared.store.models import Command, Comparison, Task, TaskGroup
from web import comparing, effects
from web.pages import captures, cards, changes, frame
from web.pages.captures import Changes
from web.pages.changes import FIRST_FILES, FIRST_LINES, Look
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

    def query(self, **other: str) -> str:
        """The address of this page with something in it otherwise."""
        return f"{urlencode({'from': self.first.id, 'to': self.second.id})}&{self.look.query(**other)}"


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
    pair, found, problem = _compared(asked)
    with snapshot():
        shown = captures.changes(found) if isinstance(found, Comparison) else None
        text = frame.page(
            "group/diff.html",
            asked=asked,
            numbers={row.number: place for place, row in enumerate(asked.members, start=1)},
            changes=shown,
            folders=changes.folders(shown.files) if shown else [],
            drawn=_drawn(shown, asked.look) if shown else {},
            told_apart=cards.told_apart,
            waits=isinstance(found, Command),
            problem_said=problem,
            pair=pair,
        )
    return changes.remembered(make_response(text))


@authority(Authority.PAGE)
def file_partial(id: str) -> Response:
    """One file of a comparison that was made."""
    with snapshot():
        members = [row.number for row in groups.members(groups.get(id))]
        row = Comparison.get_or_none(
            Comparison.id == frame.query("comparison")[:64], Comparison.task.in_(members)
        )
        if row is None:
            raise NotFound("This comparison is not kept any more; look at the page again.")
        file = captures.find(row, "", frame.query("key")[:64])
        look = changes.look_asked()
        return make_response(captures.table(row, file, split=look.split, ignore_space=look.ignore_space))


def _asked(id: str) -> Asked:
    """The two tasks that are named, or the first two."""
    group = groups.get(id)
    members = groups.members(group)
    if len(members) < 2:
        raise NotFound("There is only one task left of this group.")
    wanted = frame.query("from")[:64] or members[0].id
    other = frame.query("to")[:64] or next(row.id for row in members if row.id != wanted)
    first, second = groups.two(group, wanted, other)
    return Asked(group, members, first, second, changes.look_asked())


def _compared(asked: Asked) -> tuple[Pair | None, Comparison | Command | None, str | None]:
    """What is compared, and the comparison or the command that is still making it; or the sentence why there is none."""
    try:
        pair = points.pair(asked.first, points.LATEST, points.LATEST, asked.second)
        return pair, comparing.made(pair, effects.STEER_SECONDS), None
    except Refused as refused:
        return None, None, refused.detail


def _drawn(found: Changes[Comparison], look: Look) -> dict[str, Markup]:
    """The tables that come with the page, by the file's key: the first ones, and the one `?path=` asks for."""
    tables: dict[str, Markup] = {}
    lines, wanted = 0, frame.query("path")
    for file in found.files:
        lines += file.added + file.removed
        is_first = len(tables) < FIRST_FILES and lines <= FIRST_LINES and file.state != "folded"
        if is_first or wanted == file.name:
            tables[file.key] = captures.table(
                found.row, file, split=look.split, ignore_space=look.ignore_space
            )
    return tables
