"""Comparisons that a request asks for: found in the store, or made by a worker while the answer waits."""

from __future__ import annotations

from shared.commands import CommandKind
from shared.review import comparisons, landings
from shared.review.points import Pair
from shared.store.models import Command, Comparison
from web import effects


def made(found: Pair, seconds: float) -> Comparison | Command:
    """The comparison, or the command that makes it where that takes longer. Raises what a worker refused it with."""
    row = comparisons.kept(found)
    if row is not None:
        return row
    command = landings.request_work(found.task, CommandKind.COMPARE, found.body())
    command = effects.carried_out(command, seconds)
    if command.finished_at is None:
        return command
    done: Comparison = Comparison.get_by_id((command.result or {})["comparison"])
    return done
