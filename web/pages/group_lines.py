"""The tasks of a group beside each other: one line for each, in the order a person asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from shared import groups
from shared.store.models import Task, TaskGroup
from web.pages import cards
from web.pages.cards import Card
from web.pages.group_cards import URGENCY


@dataclass(frozen=True)
class Line:
    """One task as it is compared."""

    card: Card
    denied: int
    picked: bool

    @property
    def task(self) -> Task:
        return self.card.task

    @property
    def tokens(self) -> int:
        return sum(int(self.task.ledger.get(name, 0)) for name in ("input_tokens", "output_tokens"))


@dataclass(frozen=True)
class Heading:
    """A column; `sorted` is `ascending`, `descending` or empty, `wish` what a click on it asks for."""

    key: str
    label: str
    is_number: bool
    sorted: str
    wish: str


Key = Callable[[Line], Any]


def _checks(line: Line) -> Any:
    """Fewest that do not pass first, then the highest scores."""
    found = line.task.checks
    if not found:
        return None
    scores = sum(float(check.get("score") or 0) for check in found)
    return (sum(check["state"] != "passed" for check in found), -scores)


def _cost(line: Line) -> Any:
    return line.task.ledger.get("cost_micros")


#: Each column: its heading, whether it holds numbers, and what it is sorted by; None stands last either way.
COLUMNS: dict[str, tuple[str, bool, Key]] = {
    "task": ("Task", False, lambda line: line.task.number),
    "state": ("State", False, lambda line: (URGENCY.index(line.card.column), line.card.order)),
    "checks": ("Checks", False, _checks),
    "lines": ("Lines", True, lambda line: sum(line.card.changes[1:]) if line.card.changes else None),
    "files": ("Files", True, lambda line: line.card.changes[0] if line.card.changes else None),
    "time": ("Time", True, lambda line: line.card.seconds or None),
    "tokens": ("Tokens", True, lambda line: line.tokens or None),
    "cost": ("Cost", True, _cost),
    "denied": ("Denied calls", True, lambda line: line.denied),
}


def lines(group: TaskGroup, rows: Sequence[Task], wish: str) -> list[Line]:
    """A line for each task, sorted as `wish` says: a column's key, with `-` before it the other way round."""
    denied = groups.denied(rows)
    found = [Line(card, denied[card.task.number], card.task.id == group.picked) for card in cards.cards(rows)]
    key = COLUMNS.get(wish.removeprefix("-"), COLUMNS["task"])[2]
    known = sorted((line for line in found if key(line) is not None), key=key, reverse=wish.startswith("-"))
    return [*known, *(line for line in found if key(line) is None)]


def headings(wish: str) -> list[Heading]:
    """The columns, each with what a click on its heading asks for: its order, then the other way round."""
    found = []
    for key, (label, is_number, _) in COLUMNS.items():
        order = {key: "ascending", f"-{key}": "descending"}.get(wish or "task", "")
        found.append(Heading(key, label, is_number, order, f"-{key}" if order == "ascending" else key))
    return found
