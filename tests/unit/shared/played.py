"""Short words for what tests of the verbs do: make tasks, claim their attempts, end them, look at their events."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shared import attempts, creation, fleet, tasks, timeline
from shared.attempts import Ending, Progress
from shared.commands import CommandKind
from shared.lifecycle import Status
from shared.store.database import transaction
from shared.store.models import Approval, Attempt, Command, Task

WORKER = "worker-1"


class Board:
    """Tasks in one workspace. Agent runners are known and available once `agents` was called."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def new(self, **fields: Any) -> Task:
        wanted = {"title": "A task", "prompt": "", "runner": "shell", "command": "true", **fields}
        return creation.create(creation.NewTask(**wanted), self.home)

    def agent(self, **fields: Any) -> Task:
        """A task of an agent whose session is known."""
        fleet.publish_runners([fleet.RunnerState("claude-code", True, "claude")])
        task = self.new(**{"runner": "claude-code", "prompt": "Do it", "command": None, **fields})
        with transaction():
            Task.update(runner_session_id="session").where(Task.number == task.number).execute()
        return tasks.get(task.id)

    def queued(self, task: Task | None = None) -> Attempt:
        return tasks.request_start(task or self.new())

    def running(self, task: Task | None = None, worker: str = WORKER) -> Attempt:
        wanted = self.queued(task)
        claimed = attempts.claim_next(worker, 1000)
        assert claimed is not None
        assert claimed.id == wanted.id
        return claimed

    def ended(self, status: Status, task: Task | None = None) -> Task:
        attempt = self.running(task)
        assert attempts.finish(attempt, Ending(status))
        return tasks.get(attempt.task.id)


def progress(attempt: Attempt, **fields: Any) -> Progress:
    return Progress(attempt.id, attempt.task_id, attempt.epoch, **{"log_offset": 0, **fields})


def said(task: Task) -> list[tuple[str, str]]:
    """(kind, message) of every event of a task."""
    return [(event.kind, event.message) for event in timeline.page(task, limit=10_000)]


def seqs(task: Task) -> list[int]:
    return [event.seq for event in timeline.page(task, limit=100_000)]


def commands_of(task: Task, kind: CommandKind | None = None) -> list[Command]:
    found = Command.select().where(Command.task == task.number)
    return list(found.where(Command.kind == kind) if kind else found)


def approval_of(task: Task) -> Approval:
    return Approval.get(Approval.task == task.number)
