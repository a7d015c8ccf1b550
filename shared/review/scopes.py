"""Which parts of a task's change make sense to be read by themselves: since a moment, or what one attempt did."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise

from shared.review import points, turns
from shared.review.points import BASE, LATEST, REVIEW, TURN
from shared.store.models import Attempt, Task, Turn, ViewedFile

#: The newest attempts that have scopes of their own.
MOST_ATTEMPTS = 12
SAID = {
    BASE: "the base", LATEST: "the latest state", TURN: "where the last turn began", REVIEW: "what you have viewed",
}  # fmt: skip


@dataclass(frozen=True)
class Scope:
    """What lies between two states (words of `points`): a name for a menu, and a sentence that says what is shown."""

    name: str
    old: str
    new: str
    says: str


def of(task: Task) -> list[Scope]:
    """The scopes of the task beside all its changes, those that are likely wanted first."""
    known = turns.of(task)
    found = []
    if len(known) > 1 and known[-1].began_from is not None:
        says = "What changed since the last turn began."
        found.append(Scope("Since the last turn", TURN, LATEST, says))
    if ViewedFile.select().where(ViewedFile.task == task.number).exists():
        says = "What changed since you viewed it; a file that you have not viewed is shown in full."
        found.append(Scope("Since my last review", REVIEW, LATEST, says))
    return [*found, *_of_attempts(task, known)]


def named(task: Task, old: str, new: str) -> Scope:
    """The scope between two states, whether or not it is among the task's."""
    found = next((one for one in of(task) if (one.old, one.new) == (old, new)), None)
    if found is not None:
        return found
    name = f"From {_said(old)} to {_said(new)}"
    return Scope(name, old, new, f"{name}.")


def _said(word: str) -> str:
    if word in SAID:
        return SAID[word]
    attempt = points.ATTEMPT.fullmatch(word)
    if attempt is None:
        return "a capture"
    return f"the {'beginning' if attempt[1] else 'end'} of attempt {attempt[2]}"


@dataclass(frozen=True)
class _Worked:
    number: int
    turns: list[Turn]


def _of_attempts(task: Task, known: list[Turn]) -> Iterator[Scope]:
    rows = Attempt.select(Attempt.id, Attempt.attempt_number).where(Attempt.task == task.number)
    numbers = {row.id: row.attempt_number for row in rows}
    by_attempt = groupby(known, key=lambda turn: turn.attempt)
    worked = [_Worked(numbers[id], list(found)) for id, found in by_attempt if id in numbers]
    worked = worked[-MOST_ATTEMPTS - 1 :]
    for before, one in pairwise(worked):
        if before is worked[0]:
            yield _by(before)
        if (
            None not in (end := before.turns[-1].ended_with, begin := one.turns[0].began_from)
            and end != begin
        ):
            says = f"What changed after attempt {before.number} ended and before attempt {one.number} began."
            between = f"attempt-{before.number}", f"before-attempt-{one.number}"
            yield Scope(f"Between attempts {before.number} and {one.number}", *between, says)
        yield _by(one)


def _by(worked: _Worked) -> Scope:
    number, has_ended = worked.number, worked.turns[-1].ended_at is not None
    end = f"attempt-{number}" if has_ended else LATEST
    says = f"What attempt {number} changed." if has_ended else f"What attempt {number} has changed so far."
    return Scope(f"Attempt {number}", f"before-attempt-{number}", end, says)
