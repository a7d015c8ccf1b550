"""What is rung after a commit: an attempt is queued, a command accepted, the timeline grew.

Every ring may be lost or doubled; the rows are the truth and the janitor rings again (rule 1).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from shared.crashpoints import crashpoint
from shared.store.database import database

log = logging.getLogger(__name__)


class Bell(StrEnum):
    ATTEMPT = "attempt"
    COMMAND = "command"
    WORK = "work"
    CHANGE = "change"


@dataclass(frozen=True, slots=True)
class Ring:
    """`id` of the attempt or command; `worker` is its owner's id, where it has one."""

    bell: Bell
    id: str = ""
    worker: str | None = None


Listener = Callable[[Ring], None]
_listeners: list[Listener] = []


def listen(listener: Listener) -> None:
    """Call `listener` with every ring of this process, after the commit it belongs to."""
    _listeners.append(listener)


def forget() -> None:
    """Drop every listener."""
    _listeners.clear()


def ring(bell: Bell, id: str = "", worker: str | None = None) -> None:
    """Ring once the current transaction is committed; at once outside of one."""
    database.after_commit(lambda: _ring(Ring(bell, id, worker)))


def _ring(ring: Ring) -> None:
    crashpoint("ring.before")
    for listener in _listeners:
        try:
            listener(ring)
        except Exception:
            #: The row is committed: a doorbell that fails costs seconds, never the command.
            log.warning("the doorbell failed for %s %s", ring.bell, ring.id, exc_info=True)
