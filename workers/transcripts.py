"""Reads the pages of transcripts that somebody looks at. The web process reads no agent's home."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from broker.wakeup import Wakeup
from shared.agents import transcripts
from shared.agents.transcripts import Asked
from shared.config import Config
from shared.secrets.redaction import Redactor
from workers import beneath
from workers.attempts import granting
from workers.inventory import STORES
from workers.rounds import Rounds
from workers.sessions import lines
from workers.sessions.pages import Book, Place

log = logging.getLogger(__name__)
#: Somebody waits for the page: a slow disk is given up.
SECONDS = 10.0


class Transcripts(Rounds):
    """On its own thread, because a look through a huge store takes its time."""

    def __init__(self, config: Config, orders: Wakeup) -> None:
        super().__init__("transcripts", orders)
        self._config = config

    def round(self) -> None:
        """Read every page asked for."""
        for asked in transcripts.wanted():
            if self.closing.is_set():
                return
            transcripts.keep(asked, self._read(asked))

    def _read(self, asked: Asked) -> dict[str, Any]:
        late = time.monotonic() + SECONDS
        try:
            return read(
                asked,
                self._config.environment,
                self._config.homes,
                Redactor(granting.to_mask(self._config.environment, {})),
                lambda: self.closing.is_set() or time.monotonic() > late,
            )
        except FileNotFoundError:
            return {"problem": "The transcript is gone from the agent's store."}
        except OSError as error:
            said = error.strerror or "it lies outside of the agent's home"
            return {"problem": f"The transcript cannot be read: {said}."}
        except lines.Interrupted:
            return {"problem": "The transcript could not be read in time; try again."}
        except Exception:  # or it would be read again for ever
            log.exception("reading %s failed", asked.path)
            return {"problem": "The transcript could not be read; the worker's log says why."}


def read(
    asked: Asked, environment: Mapping[str, str], homes: Path, redactor: Redactor, stopping: Any
) -> dict[str, Any]:
    """One page of a transcript below an agent's home: the person's, or one of a task's own.

    Raises OSError, for a transcript that lies anywhere else, too, and Interrupted.
    """
    store = next(store for store in STORES if asked.runner == store.RUNNER)
    roots = [store.home(dict(environment)), *map(str, homes.glob(f"*/{asked.runner}"))]
    root = next((root for root in roots if root and asked.path.startswith(f"{root}/")), None)
    if root is None:
        raise PermissionError
    file = _opened(root, asked.path)
    try:
        book = Book(file, asked.path, store, redactor.redact, stopping)
        if asked.before is not None:
            end = None if asked.before == "end" else Place.of(asked.before)
            return book.page_before(end, asked.limit).to_json()
        return book.page_from(Place.of(asked.start or "0"), asked.limit).to_json()
    finally:
        os.close(file)


def _opened(root: str, path: str) -> int:
    """Links that stay below the agent's home are a person's; the way they lead is then walked without any."""
    top, real = os.path.realpath(root), os.path.realpath(path)
    if not real.startswith(f"{top}/"):
        raise PermissionError
    return beneath.open_file(top, os.path.relpath(real, top))
