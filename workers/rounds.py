"""A thread that does its round whenever somebody rings, and now and then in case nobody was heard."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import peewee

from broker.wakeup import Wakeup
from shared.store.database import close
from workers.sessions.lines import Interrupted

log = logging.getLogger(__name__)
#: Nobody's ring is waited for longer than this.
SAFETY_SECONDS = 5.0


class Rounds(threading.Thread):
    """`round` is what each of them does; it may end early by raising Interrupted once `closing` is set."""

    def __init__(self, name: str, orders: Wakeup) -> None:
        super().__init__(name=name, daemon=True)
        self._orders = orders
        self.closing = threading.Event()

    def begin(self) -> None:
        """What is done once, before anybody rings."""

    def round(self) -> None:
        raise NotImplementedError

    def end(self) -> None:
        """What is given back at the end."""

    def run(self) -> None:
        bell = self._orders.listener()
        try:
            self._guarded(self.begin)
            while not self.closing.is_set():
                self._guarded(self.round)
                bell.wait(SAFETY_SECONDS)
                if bell.is_lost():
                    bell.close()
                    bell = self._orders.listener()
        finally:
            bell.close()
            self.end()
            close()

    def stop(self) -> None:
        """End within what is in hand."""
        self.closing.set()
        self._orders.notify()
        self.join(2)

    def _guarded(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Interrupted:
            pass
        except peewee.DatabaseError as error:
            log.warning("%s could not reach the store: %s", self.name, error)
            close()
        except Exception:
            log.exception("a round of %s failed", self.name)
