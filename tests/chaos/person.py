"""A person at the API who notes what was asked before asking and what was acknowledged before going on."""

from __future__ import annotations

import http.client
import json
import os
import threading
import uuid
from collections.abc import Callable
from typing import Any

from tests.chaos.world import World
from tests.installation import ENDED, Answer
from tests.waiting import wait_until

AWAY = (OSError, http.client.HTTPException, json.JSONDecodeError)


class Person:
    """Speaks to one world; several may, each on a thread of its own. `patience` bounds every wait, in seconds."""

    _lock = threading.Lock()
    _number = 0

    def __init__(self, world: World, *, patience: float = 40) -> None:
        self.world = world
        self.patience = patience

    def ask(
        self, op: str, path: str, body: Any = None, *, key: str = "", task: str = "", **told: Any
    ) -> Answer | None:
        """One request; None when no answer came, and then nobody knows whether it took effect."""
        with Person._lock:
            Person._number += 1
            number = Person._number
        self._note(asked=number, op=op, task=task, key=key, **told)
        headers = {"Idempotency-Key": key} if key else {}
        try:
            answer = self.world.installation.request("POST", path, body, headers, timeout=20)
        except AWAY:
            return None
        found = answer.body if isinstance(answer.body, dict) else {}
        id = found.get("id") or (found.get("task") or {}).get("id") or task
        self._note(acked=number, op=op, task=id, key=key, status=answer.status, **told)
        return answer

    def _note(self, **line: Any) -> None:
        with Person._lock, self.world.ledger.open("a") as ledger:
            ledger.write(json.dumps(line) + "\n")
            ledger.flush()
            os.fsync(ledger.fileno())

    def create(self, label: str, lines: int = 40, *, asks: bool = False, **more: Any) -> str:
        """A task, asked for with one key until it is acknowledged."""
        given = {
            "title": label,
            "prompt": "",
            "runner": "shell",
            "command": self.world.command(label, lines, asks=asks),
            "workspace": str(self.world.repository),
            "preset": "full-access",
        }
        key = uuid.uuid4().hex
        answer = self._insist(lambda: self.ask("create", "/tasks", {**given, **more}, key=key), 200)
        return str(answer.body["id"])

    def start(self, task: str) -> Answer:
        """Start until it is acknowledged; 409 says that an earlier request without an answer did it."""
        return self._insist(lambda: self.ask("start", f"/tasks/{task}/start", task=task), 200, 202, 409)

    def run(self, label: str, lines: int = 40, *, asks: bool = False, **more: Any) -> str:
        task = self.create(label, lines, asks=asks, **more)
        self.start(task)
        return task

    def reply(self, task: str, text: str | None = None) -> Answer | None:
        """One line to the agent, never twice the same unless `text` is given."""
        said = text or f"r-{uuid.uuid4().hex}"
        return self.ask("reply", f"/tasks/{task}/reply", {"message": said}, task=task, text=said)

    def go_on(self, task: str) -> None:
        """Answer the agent's question until it has ended."""

        def over() -> bool:
            if self.status(task) in ENDED:
                return True
            if self.status(task) == "needs-input":
                self.reply(task, "go")
            return self.status(task) in ENDED

        wait_until(over, self.patience, what="the agent to go on and end", every=0.1, ignoring=AWAY)

    def stop(self, task: str) -> Answer:
        return self._insist(lambda: self.ask("stop", f"/tasks/{task}/stop", task=task), 200, 202, 409)

    def merge(self, task: str, **body: Any) -> Answer:
        """Merge, and wait until the command behind a 202 has ended."""
        return self._work("merge", f"/tasks/{task}/worktree/merge", task, body)

    def cleanup(self, task: str, *, force: bool = False) -> Answer:
        return self._work("cleanup", f"/tasks/{task}/worktree/cleanup", task, {"force": force})

    def rebase(self, task: str) -> Answer:
        return self._work("rebase", f"/tasks/{task}/worktree/rebase", task, {})

    def undo(self, task: str) -> Answer:
        return self._work("undo", f"/tasks/{task}/undo", task, {})

    def _work(self, op: str, path: str, task: str, body: Any) -> Answer:
        answer = self._insist(lambda: self.ask(op, path, body, task=task), 200, 202, 409)
        if answer.status == 202:
            self.until(task, lambda found: found["pending_command"] is None)
        return answer

    def until_ended(self, task: str) -> dict[str, Any]:
        return self.until(task, lambda found: found["status"] in ENDED)

    def until(self, task: str, reached: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            found = self.world.installation.task(task)
            return found if reached(found) else None

        found = wait_until(look, self.patience, what=f"task {task}", every=0.05, ignoring=AWAY)
        assert found is not None
        return found

    def status(self, task: str) -> str:
        return str(self.world.query("SELECT status FROM task WHERE id = ?", task)[0]["status"])

    def _insist(self, request: Callable[[], Answer | None], *accepted: int) -> Answer:
        def acknowledged() -> Answer | None:
            answer = request()
            if answer is None or answer.status in (429, 503):
                return None
            assert answer.status in accepted, answer
            return answer

        found = wait_until(acknowledged, self.patience, what="an acknowledgement", every=0.1)
        assert found is not None
        return found
