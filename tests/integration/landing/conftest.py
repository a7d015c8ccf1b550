"""A store, a user's repository and tasks that worked in it; the test is the worker that carries commands out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared import attempts, commands, creation, doorbell, tasks
from shared.attempts import Ending
from shared.commands import CommandKind, State
from shared.config import Config, from_env
from shared.lifecycle import Status
from shared.review import landings
from shared.store.database import close
from shared.store.models import Attempt, Command, Task
from tests import stores
from tests.integration.repository.conftest import shell, state
from workers import work
from workers.attempts import place
from workers.repository import discovery
from workers.repository.discovery import Repository
from workers.repository.worktree import Worktree

WORKER = "worker-1"
REPOSITORY = (
    "git init -q -b main; mkdir sub; printf 'one\\ntwo\\nthree\\n' > a.txt; echo b > sub/b.txt;"
    " git config user.name Person; git config user.email person@example.org;"
    " git add -A; git commit -qm first"
)


class Landing:
    """What the tests say: a task whose agent did this, a command of its, the checkout as it is."""

    def __init__(self, config: Config, folder: Path) -> None:
        self.config = config
        self.folder = folder

    def sh(self, script: str) -> str:
        return shell(self.folder, script)

    def task(self, script: str, **fields: Any) -> Task:
        """A task whose one attempt ran `script` in its worktree and ended."""
        wanted = {"title": "Fix it", "prompt": "", "runner": "shell", "command": "true", **fields}
        wanted.setdefault("workspace", str(self.folder))
        return self.again(creation.create(creation.NewTask(**wanted), self.folder), script)

    def again(self, task: Task, script: str) -> Task:
        """One more attempt of the task."""
        tasks.request_start(task)
        attempt = attempts.claim_next(WORKER, 1000)
        assert isinstance(attempt, Attempt)
        found = place.prepare(tasks.get(task.id), attempt, self.config)
        shell(Path(found.root), script)
        attempts.finish(attempt, Ending(Status.READY_FOR_REVIEW))
        return tasks.get(task.id)

    def repository(self) -> Repository:
        found = discovery.locate(self.folder)
        assert found is not None
        return found

    def worktree_path(self, task: Task) -> Path | None:
        """The folder of the task's worktree, if it is there."""
        found = place.worktree_of(task, self.config)
        return found.path if found is not None and found.path.is_dir() else None

    def worktree(self, task: Task) -> Worktree:
        found = place.worktree_of(task, self.config)
        assert found is not None
        return found

    def ask(self, task: Task, kind: CommandKind, **body: Any) -> Command:
        """The command as a worker has ended it."""
        command = landings.request_work(tasks.get(task.id), kind, body)
        taken = commands.take(command.id, WORKER)
        assert taken is not None
        work.carry_out(taken, self.config)
        return Command.get_by_id(command.id)

    def done(self, task: Task, kind: CommandKind, **body: Any) -> dict[str, Any]:
        """The result of a command that must succeed."""
        ended = self.ask(task, kind, **body)
        assert ended.state == State.APPLIED, ended.result
        return dict(ended.result or {})

    def refused(self, task: Task, kind: CommandKind, **body: Any) -> dict[str, Any]:
        """The problem of a command that must be refused, and that the user's repository is as it was."""
        before = self.state(), self.branches()
        ended = self.ask(task, kind, **body)
        assert ended.state == State.REFUSED, ended.result
        assert (self.state(), self.branches()) == before
        return dict(ended.result or {})

    def branches(self) -> str:
        """Of a repository; nothing for a folder without one."""
        return self.sh("git for-each-ref refs/heads") if (self.folder / ".git").exists() else ""

    def state(self) -> dict[str, str]:
        return state(self.folder)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Landing]:
    """A repository on `main` with one commit, and a store beside it."""
    config = from_env({}, data=tmp_path / "data")
    stores.fresh(config)
    folder = tmp_path / "repo"
    folder.mkdir()
    shell(folder, REPOSITORY)
    yield Landing(config, folder)
    doorbell.forget()
    close()
