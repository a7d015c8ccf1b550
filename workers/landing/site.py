"""Where a task's work is and where it goes: its worktree, its repository, and its latest capture."""

from __future__ import annotations

import os

from shared import tasks
from shared.config import Config
from shared.errors import Conflict, NotReady
from shared.review import landings
from shared.store.models import Capture as CaptureRow
from shared.store.models import Command, Task
from workers.attempts import capturing, plain_folder
from workers.attempts.place import repository_of, worktree_of
from workers.landing.gates import Candidate
from workers.repository import capture as captures
from workers.repository import history
from workers.repository.discovery import Repository
from workers.repository.worktree import Worktree

#: Strategies that land the agent's own commits where its policy lets it write to git; the others make one of ours.
KEEP_COMMITS = ("merge", "rebase")


def of(task: Task, config: Config) -> tuple[Worktree, Repository]:
    """The task's worktree and the repository it belongs to. Raises Conflict or NotReady where one is gone."""
    worktree = worktree_of(task, config)
    if worktree is None or task.worktree_path is None:
        raise Conflict("The task has no worktree; there is nothing to merge.")
    if not worktree.is_there:
        raise NotReady(
            "The task's worktree is gone; start the task again to bring it back from its last state."
        )
    repository = repository_of(task, config)
    if repository is None:
        raise NotReady(f"{task.workspace} is not in a git repository any more.")
    return worktree, repository


def candidate(task: Task, command: Command, config: Config) -> Candidate:
    """The work as it is now, captured and stored, to land as the command says.

    Raises as `of` does, and LandingRefused where the agent's own commits cannot be trusted.
    """
    worktree, repository = of(task, config)
    taken = captures.take(worktree)
    _refuse_closed(taken, repository, config)
    row = capturing.store(taken, task, config, why=command.kind)
    strategy = command.body.get("strategy") or ("apply" if repository.plain else "squash")
    keeps = strategy in KEEP_COMMITS and tasks.policy_of(task).allow_git_write
    return Candidate(
        task,
        repository,
        taken,
        row,
        strategy,
        history.bring(worktree, repository) if keeps else None,
        command.body.get("target_branch") or task.target_branch,
        config,
    )


def _refuse_closed(taken: captures.Capture, repository: Repository, config: Config) -> None:
    """Nothing of a task lands in our own data, nor from a folder without git in the home that is within it."""
    if repository.toplevel is None:
        return
    places = plain_folder.closed(repository.toplevel, config)
    for place in places if repository.plain else [place for place in places if place == config.data]:
        within = os.fsencode(place.relative_to(repository.toplevel)) + b"/"
        for file in taken.files:
            if file.raw_path.startswith(within):
                raise Conflict(f"{file.path} would land in {place}, where no task may write.")


def last_state(task: Task, worktree: Worktree, config: Config) -> CaptureRow | None:
    """The worktree as it is now, captured; as it was last captured when the folder is gone."""
    if worktree.is_there:
        return capturing.take(task, worktree, config, why="cleanup")
    return landings.latest_capture(task)
