"""Which tasks stand on the board, and where: alone, or a group of them as one card."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import peewee

from shared.clock import now
from shared.lifecycle import Status
from shared.store.models import Task
from web.pages import frame
from web.pages.cards import COLUMN_OF, COLUMNS, Card, cards
from web.pages.group_cards import URGENCY, GroupCard

#: Cards of one column; older ones are counted.
MOST_CARDS = 60
MOST_DONE = 200
TODAY = timedelta(hours=24)
FILTERS = ("q", "workspace", "runner", "done", "archived")


@dataclass(frozen=True)
class Column:
    """One state's cards, and how many there are altogether; a group counts as one."""

    key: str
    title: str
    cards: list[Card | GroupCard]
    total: int


def is_filtered() -> bool:
    return any(wish(name) for name in ("q", "workspace", "runner", "archived"))


def wish(name: str) -> str:
    """A filter of this board; where a link fills the composer, its parameters are not filters."""
    return "" if frame.query("compose") else frame.query(name)


def columns() -> list[Column]:
    """The six columns under the page's filters."""
    standing = _standing()
    alone = _shown()
    if standing:
        alone = alone.where(Task.group_id.is_null() | Task.group_id.not_in(_together().select(Task.group_id)))
    found = []
    for key, title in COLUMNS.items():
        rows = alone.where(Task.status.in_([status for status, column in COLUMN_OF.items() if column == key]))
        limit = MOST_DONE if key == "done" and wish("done") == "all" else MOST_CARDS
        single = cards(list(rows.order_by(*_order(key)).limit(limit)))
        groups = [group for group, column in standing.items() if column == key]
        mixed: list[Card | GroupCard] = [*single, *_group_cards(groups[:limit])]
        mixed.sort(key=lambda card: card.order)
        total = len(groups) + (len(single) if len(single) < limit else rows.count())
        found.append(Column(key, title, mixed[:limit], total))
    return found


def standing_for(task: Task) -> Card | GroupCard | None:
    """The card that shows this task now, or what is left of its group; None when neither is on this board."""
    if task.group_id is None or wish("archived"):
        rows = list(_shown().where(Task.number == task.number))
        return cards(rows)[0] if rows else None
    if not _shown().where(Task.group_id == task.group_id).exists():
        return None
    rows = list(_matching().where(Task.group_id == task.group_id).order_by(Task.number))
    found = cards(rows)
    return GroupCard(task.group_id, found) if len(found) > 1 else found[0]


def _standing() -> dict[str, str]:
    """The column of each group that shows as one card, by its id, the last changed first."""
    if wish("archived"):
        return {}
    rows = _together().order_by(peewee.fn.MAX(Task.updated_at).desc()).tuples()
    return {group: URGENCY[rank] for group, rank in rows}


def _together() -> Any:
    """(group, rank of its most urgent task) where several tasks match, and one of them at least is shown."""
    ranks = [(str(status), URGENCY.index(column)) for status, column in COLUMN_OF.items()]
    urgency = peewee.Case(Task.status, ranks, len(URGENCY) - 1)
    found = _matching().select(Task.group_id, peewee.fn.MIN(urgency).coerce(False))
    return (
        found.where(Task.group_id.is_null(False))
        .group_by(Task.group_id)
        .having(peewee.fn.COUNT(Task.number) > 1, peewee.fn.MAX(_is_recent()) == 1)
    )


def _group_cards(groups: Iterable[str]) -> list[GroupCard]:
    wanted = list(groups)
    if not wanted:
        return []
    found: dict[str, list[Card]] = {}
    for card in cards(list(_matching().where(Task.group_id.in_(wanted)).order_by(Task.number))):
        found.setdefault(str(card.task.group_id), []).append(card)
    return [GroupCard(id, members) for id, members in found.items()]


def _order(key: str) -> Sequence[Any]:
    """Who waits longest comes first where somebody waits; elsewhere the newest."""
    if key == "needs":
        return (Task.updated_at, Task.number)
    if key == "queued":
        return (Task.priority.desc(), Task.created_at, Task.number)
    if key == "running":
        return (Task.created_at.desc(), Task.number.desc())
    return (Task.updated_at.desc(), Task.number.desc())


def _matching() -> Any:
    """The tasks that the filters let through, however old."""
    found = Task.select().where(Task.archived_at.is_null(not wish("archived")))
    if words := wish("q")[:500]:
        found = found.where(
            Task.title.contains(words) | Task.prompt.contains(words) | Task.id.startswith(words.lower())
        )
    if workspace := wish("workspace"):
        found = found.where(Task.workspace == workspace)
    if runner := wish("runner"):
        found = found.where(Task.runner == runner)
    return found


def _shown() -> Any:
    return _matching().where(_is_recent())


def _is_recent() -> Any:
    """Done tasks leave the board after a day, unless they are looked for."""
    if wish("done") == "all" or is_filtered():
        return peewee.SQL("1")
    return (Task.status != Status.COMPLETED) | (Task.updated_at > now() - TODAY)
