"""Looks at the folders the pages ask about: branches, and whether something is uncommitted. The web runs no git."""

from __future__ import annotations

import logging
import threading
from typing import Any

import peewee

from shared import workspaces
from shared.errors import OpenRuntimeError
from shared.store.database import close
from workers.repository import inspect as repositories

log = logging.getLogger(__name__)
LOOK_SECONDS = 0.25
BRANCHES = 200


def look(path: str) -> dict[str, Any]:
    """`{repository, branch, branches[], dirty}` of the folder, or `{problem}` in one sentence."""
    try:
        found = repositories.inspect(path)
        if found is None:
            return {"repository": False, "branch": None, "branches": [], "dirty": False}
        names = [branch.name for branch in repositories.branches(path)[:BRANCHES]]
    except OpenRuntimeError as error:
        return {"problem": str(error)}
    return {"repository": True, "branch": found.branch, "branches": names, "dirty": found.dirty}


class Inspector(threading.Thread):
    """On its own thread, because reading a large working tree takes its time."""

    def __init__(self) -> None:
        super().__init__(name="inspector", daemon=True)
        self._closing = threading.Event()

    def run(self) -> None:
        while not self._closing.wait(LOOK_SECONDS):
            try:
                self.round()
            except peewee.DatabaseError as error:
                log.warning("the store could not be read for inspections: %s", error)
                close()
            except Exception:
                log.exception("an inspection failed")
        close()

    def round(self) -> None:
        """Look at every folder asked for."""
        for path in workspaces.wanted_inspections():
            if self._closing.is_set():
                return
            workspaces.inspected(path, look(path))

    def stop(self) -> None:
        """End after the folder in hand."""
        self._closing.set()
        self.join(2)
