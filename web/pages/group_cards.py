"""The tasks of a group as one card of the board: how they stand, and their own cards within it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from web.pages import words
from web.pages.cards import Card

#: What a person attends to first; a group stands where its most urgent task is.
URGENCY = ("needs", "review", "running", "queued", "ended", "done")
#: How many of a column's tasks, in words: one, and several.
TALLIED = {
    "needs": ("needs you", "need you"),
    "review": ("ready", "ready"),
    "running": ("runs", "run"),
    "queued": ("waits", "wait"),
    "ended": ("failed or stopped", "failed or stopped"),
    "done": ("done", "done"),
}


@dataclass(frozen=True)
class GroupCard:
    """A group as the board shows it; `cards` are those of its tasks, in the order they were asked for."""

    id: str
    cards: list[Card]

    @property
    def title(self) -> str:
        return self.cards[0].task.title

    @property
    def column(self) -> str:
        return self.foremost.column

    @property
    def foremost(self) -> Card:
        """The card of the most urgent task."""
        return min(self.cards, key=lambda card: (URGENCY.index(card.column), card.order))

    @property
    def order(self) -> int:
        """As a card's: that of its first task in this column."""
        return self.foremost.order

    @property
    def asking(self) -> list[Card]:
        return [card for card in self.cards if card.ask]

    @property
    def resting(self) -> list[Card]:
        return [card for card in self.cards if not card.ask]

    @property
    def tally(self) -> list[tuple[str, str]]:
        """(words, colour class) for each state the tasks are in, the most urgent first."""
        counted = Counter(card.column for card in self.cards)
        tones = {card.column: card.tone for card in reversed(self.cards)}
        return [
            (f"{counted[key]} {TALLIED[key][counted[key] > 1]}", tones[key])
            for key in URGENCY
            if counted[key]
        ]

    @property
    def smallest(self) -> Card | None:
        """The task whose change has the fewest lines; None where nothing is changed yet."""
        changed = [card for card in self.cards if card.changes]
        return min(changed, key=lambda card: sum((card.changes or (0, 0, 0))[1:]), default=None)

    @property
    def judged(self) -> tuple[int, int] | None:
        """How many tasks pass all their checks, of how many that were checked; None where none was."""
        found = [card.task.checks for card in self.cards if card.task.checks]
        passing = [all(check["state"] == "passed" for check in checks) for checks in found]
        return (sum(passing), len(passing)) if passing else None

    @property
    def money(self) -> str:
        ledgers = [card.task.ledger for card in self.cards]
        spent = sum(int(ledger.get("cost_micros") or 0) for ledger in ledgers)
        return words.money(spent, any(ledger.get("estimated") for ledger in ledgers))
