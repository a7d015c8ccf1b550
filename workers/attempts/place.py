"""Where an attempt runs: its task's worktree, or the folder itself where there is no repository."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared import attempts, groups
from shared.config import Config
from shared.crashpoints import crashpoint
from shared.errors import NotReady
from shared.events import Draft, Kind
from shared.review import landings
from shared.store.models import Attempt, Capture, Task
from workers.repository import capture as captures
from workers.repository import discovery, fingerprint, merging, rebasing, references, worktrees
from workers.repository.discovery import Repository
from workers.repository.worktree import Worktree


@dataclass(frozen=True)
class Place:
    """`root` is what the agent may write, `cwd` where it starts; `worktree` is None without a repository."""

    root: str
    cwd: str
    worktree: Worktree | None = None


def prepare(task: Task, attempt: Attempt, config: Config) -> Place:
    """Make or find the place of a task and record it. Raises NotReady, BadRequest or GitFailed with one sentence.

    A place that exists is used again: attempts of one task share their worktree (contract 7).
    """
    if not os.path.isdir(task.workspace):
        raise NotReady(f"The workspace {task.workspace} does not exist any more.")
    repository = discovery.locate(task.workspace)
    if repository is None:
        return _in_place(task, attempt)
    config.worktrees.mkdir(mode=0o700, parents=True, exist_ok=True)
    config.repositories.mkdir(mode=0o700, parents=True, exist_ok=True)
    known = task.worktree_path is not None and os.path.isdir(task.worktree_path)
    landed = _landed_commit(task, repository)
    work, base = _kept_work(task, repository)
    worktree = worktrees.create(
        repository,
        task_id=task.id,
        title=task.title,
        base_ref=landed or base or _beginning(task, repository),
        worktrees=config.worktrees,
        repositories=config.repositories,
        content=work,
    )
    if known and landed is not None:
        worktree = _brought_up(task, worktree, repository, landed)
    crashpoint("start.worktree")
    drafts = (
        [] if known else [Draft(Kind.LIFECYCLE, f"Created an isolated worktree on branch {worktree.branch}")]
    )
    attempts.place(
        attempt,
        drafts,
        worktree_path=str(worktree.path),
        execution_workspace=str(worktree.execution_path),
        branch=worktree.branch,
        base_commit=worktree.base_commit,
        target_branch=task.target_branch or repository.branch,
        worktree=_configuration(task, repository),
        worktree_merged_at=None,
        worktree_cleaned_at=None,
    )
    return Place(str(worktree.path), str(worktree.execution_path), worktree)


def _beginning(task: Task, repository: Repository) -> str | None:
    """What a task begins at: tasks for one goal all at the commit of the first to start, whatever moved meanwhile."""
    if task.group_id is None or (repository.head_oid is None and not task.base_ref):
        return task.base_ref
    return groups.base_of(task) or groups.begin_at(
        task, references.resolve(repository, task.base_ref or "HEAD")
    )


def _landed_commit(task: Task, repository: Repository) -> str | None:
    """What a landed task goes on from: the commit it landed as, while the repository has that; None otherwise."""
    last = landings.last_landing(task) if task.worktree_merged_at is not None else None
    if last is None or last.commit_oid is None:
        return None
    return discovery.resolve_commit(repository.git_dir, last.commit_oid)


def _kept_work(task: Task, repository: Repository) -> tuple[str | None, str | None]:
    """The last state of a worktree that was removed with unmerged work, and the base that was on; None where none is."""
    last = landings.latest_capture(task)
    if task.worktree_cleaned_at is None or task.worktree_merged_at is not None or not (last and last.files):
        return None, None
    ref = references.recovery_ref(task.id)
    work = discovery.resolve_commit(repository.git_dir, ref)
    return work, discovery.resolve_commit(repository.git_dir, f"{ref}^") if work else None


def _brought_up(task: Task, worktree: Worktree, repository: Repository, landed: str) -> Worktree:
    """A worktree that landed and was left standing, on the landed commit; one that was worked in since stays as it is."""
    last, taken = landings.last_landing(task), captures.take(worktree)
    row = Capture.get_or_none(Capture.id == last.capture) if last is not None else None
    if worktree.base_commit == landed or row is None or row.tree_oid != taken.tree_oid:
        return worktree
    tree = merging.tree_of(repository.git_dir, landed)
    return rebasing.move(repository, worktree, base=landed, old=taken.tree_oid, tree=tree, again=False)


def _in_place(task: Task, attempt: Attempt) -> Place:
    said = Draft(
        Kind.LIFECYCLE, f"Running without worktree isolation: {task.workspace} is not in a git repository"
    )
    attempts.place(attempt, [said], execution_workspace=task.workspace)
    return Place(task.workspace, task.workspace)


def _configuration(task: Task, repository: Repository) -> dict[str, Any]:
    """What of git's configuration the attempt starts with; of one whose change nobody has looked at, what was before."""
    known = task.worktree or {}
    if known.get("tampered") and known.get("configuration"):
        return dict(known)
    return {"configuration": fingerprint.marks(repository)}


def changed_configuration(task: Task, repository: Repository | None = None) -> list[tuple[str, str]]:
    """What of git's configuration and hooks is not as it was when the latest attempt started, each in a few words.

    The person may have changed it, too.
    """
    before = (task.worktree or {}).get("configuration")
    if repository is None and os.path.isdir(task.workspace):
        repository = discovery.locate(task.workspace)
    if before is None or repository is None:
        return []
    return fingerprint.changes(before, fingerprint.marks(repository))


def worktree_of(task: Task, config: Config) -> Worktree | None:
    """The task's worktree as it was last created, whether or not its folder is still there."""
    return worktrees.find(config.repositories, task.id)


def attempt_directories(task: Task, config: Config) -> list[Path]:
    """The attempt directories of a task."""
    rows = Attempt.select(Attempt.id).where(Attempt.task == task.number)
    return [config.attempts / row.id for row in rows if (config.attempts / row.id).is_dir()]
