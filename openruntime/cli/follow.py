"""A task's events as they come: each exactly once, in order, across lost connections and restarts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from openruntime.cli.client import Client, task_path
from shared.errors import Unavailable
from shared.lifecycle import ENDED

Event = dict[str, Any]
Task = dict[str, Any]

PAGE = 500
#: Asking again: at once while events flow, twice a second when the agent is quiet (a request costs the server
#: a few milliseconds, so a quiet follower costs it under one percent of a core).
SHORTEST_SECONDS, LONGEST_SECONDS = 0.1, 0.5
#: A status can change without an event (a worker took the task); look this often.
LOOK_SECONDS = 2.0
#: A restarted server is back within seconds; after this long without one we give up.
PATIENCE_SECONDS = 30.0
TELLING = frozenset({"lifecycle", "input", "error"})


class Follower:
    """Iterate over it for the events after `after`; it ends when the task has ended and every event was given.

    The events table is the stream (rule 4), so a place in it is one number and nothing can be missed or doubled.
    `status_changed` is called with the task when its status differs from the last one seen.
    """

    def __init__(
        self,
        client: Client,
        task_id: str,
        *,
        after: int = 0,
        status_changed: Callable[[Task], None] = lambda task: None,
        server_lost: Callable[[], None] = lambda: None,
    ) -> None:
        self._client, self._task_id, self._seq = client, task_id, after
        self._status_changed, self._server_lost = status_changed, server_lost
        self.task: Task = {}

    def __iter__(self) -> Iterator[Event]:
        pause, looked_at = SHORTEST_SECONDS, float("-inf")
        while True:
            page = self._page()
            yield from page
            if len(page) >= PAGE:
                continue
            told = any(event.get("kind") in TELLING for event in page)
            if told or time.monotonic() - looked_at >= LOOK_SECONDS:
                looked_at = time.monotonic()
                if self._look():
                    yield from self._rest()
                    return
            pause = SHORTEST_SECONDS if page else min(pause * 1.5, LONGEST_SECONDS)
            time.sleep(pause)

    def _rest(self) -> Iterator[Event]:
        """What was stored between the last page and the end of the task."""
        while page := self._page():
            yield from page

    def _look(self) -> bool:
        """Whether the task has ended; tells of a changed status."""
        before = self.task.get("status")
        self.task = self._patiently(task_path(self._task_id), events=0)
        if self.task.get("status") != before:
            self._status_changed(self.task)
        return self.task.get("status") in ENDED

    def _page(self) -> list[Event]:
        page = self._patiently(task_path(self._task_id, "events"), after=self._seq, limit=PAGE)
        fresh = [event for event in page if event["seq"] > self._seq]
        if fresh:
            self._seq = fresh[-1]["seq"]
        return fresh

    def _patiently(self, path: str, **query: Any) -> Any:
        """GET, asked again while the server is away. Raises Unavailable when it stays away."""
        until, pause, told = time.monotonic() + PATIENCE_SECONDS, SHORTEST_SECONDS, False
        while True:
            try:
                return self._client.get(path, **query)
            except Unavailable:
                if time.monotonic() > until:
                    raise
                if not told:
                    self._server_lost()
                    told = True
            time.sleep(pause)
            pause = min(pause * 2, 1.0)
