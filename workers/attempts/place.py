"""Where an attempt runs: its task's worktree, or with consent a folder without git itself."""

from __future__ import annotations

import os
from collections.abc import Sequence
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
from shared.task_place import PLAIN, TaskPlace, consents
from workers.attempts import plain_folder
from workers.repository import capture as captures
from workers.repository import discovery, fingerprint, folders, merging, rebasing, references, worktrees
from workers.repository.discovery import Repository
from workers.repository.worktree import Worktree


@dataclass(frozen=True)
class Place:
    """`root` is what the agent may write, `cwd` where it starts; `worktree` is None in place."""

    root: str
    cwd: str
    worktree: Worktree | None = None
    kind: TaskPlace = TaskPlace.WORKTREE


def prepare(task: Task, attempt: Attempt, config: Config) -> Place:
    """Make or find the place of a task and record it. Raises NotReady, BadRequest or GitFailed with one sentence.

    A place that exists is used again: attempts of one task share their worktree (contract 7).
    """
    if not os.path.isdir(task.workspace):
        raise NotReady(f"The workspace {task.workspace} does not exist any more.")
    for folder in (config.worktrees, config.repositories, config.folders):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    repository = None if task.place in PLAIN else discovery.locate(task.workspace)
    if repository is not None:
        if consents(task.options):
            raise NotReady(
                f"{task.workspace} is in a git repository: a task works in a worktree there, not in place."
            )
        return _in_worktree(task, attempt, repository, config)
    if task.place not in PLAIN and task.worktree_path is not None:
        raise NotReady(f"{task.workspace} is not in a git repository any more.")
    repository, drafts = plain_folder.repository(task, config)
    if consents(task.options) or task.place == TaskPlace.IN_PLACE:
        return _in_place(task, attempt, repository, config, drafts)
    return _in_worktree(task, attempt, repository, config, drafts)


def _in_worktree(
    task: Task, attempt: Attempt, repository: Repository, config: Config, drafts: Sequence[Draft] = ()
) -> Place:
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
    if repository.plain and worktree.base_commit != repository.head_oid:
        folders.stand_on(repository, worktree.base_commit)
    crashpoint("start.worktree")
    kind = TaskPlace.COPY if repository.plain else TaskPlace.WORKTREE
    if not known and not repository.plain:
        drafts = [*drafts, Draft(Kind.LIFECYCLE, f"Created an isolated worktree on branch {worktree.branch}")]
    attempts.place(
        attempt,
        drafts,
        place=kind,
        worktree_path=str(worktree.path),
        execution_workspace=str(worktree.execution_path),
        branch=worktree.branch,
        base_commit=worktree.base_commit,
        target_branch=task.target_branch or repository.branch,
        worktree=_configuration(task, repository),
        worktree_merged_at=None,
        worktree_cleaned_at=None,
    )
    return Place(str(worktree.path), str(worktree.execution_path), worktree, kind)


def _in_place(
    task: Task, attempt: Attempt, repository: Repository, config: Config, drafts: Sequence[Draft]
) -> Place:
    beside = plain_folder.beside(task, config, repository)
    attempts.place(
        attempt,
        drafts,
        place=TaskPlace.IN_PLACE,
        execution_workspace=task.workspace,
        base_commit=beside.base_commit,
        worktree_merged_at=None,
    )
    return Place(task.workspace, task.workspace, kind=TaskPlace.IN_PLACE)


def _beginning(task: Task, repository: Repository) -> str | None:
    """What a task begins at: tasks for one goal all at the commit of the first to start, whatever moved meanwhile."""
    if task.group_id is None or (repository.head_oid is None and not task.base_ref):
        return task.base_ref
    return groups.base_of(task) or groups.begin_at(
        task, references.resolve(repository, task.base_ref or "HEAD")
    )


def _landed_commit(task: Task, repository: Repository) -> str | None:
    """What a landed task goes on from: the commit it landed as, while the repository has that; None otherwise.

    Without a repository, the folder as it is now.
    """
    last = landings.last_landing(task) if task.worktree_merged_at is not None else None
    if last is not None and repository.plain:
        return folders.snapshot_now(repository)
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


def _configuration(task: Task, repository: Repository) -> dict[str, Any]:
    """What of git's configuration the attempt starts with; of one whose change nobody has looked at, what was before."""
    known = task.worktree or {}
    if known.get("tampered") and known.get("configuration"):
        return dict(known)
    return {"configuration": fingerprint.marks(repository)}


def changed_configuration(task: Task, repository: Repository | None) -> list[tuple[str, str]]:
    """What of git's configuration and hooks is not as it was when the latest attempt started, each in a few words.

    The person may have changed it, too.
    """
    before = (task.worktree or {}).get("configuration")
    if before is None or repository is None:
        return []
    return fingerprint.changes(before, fingerprint.marks(repository))


def repository_of(task: Task, config: Config) -> Repository | None:
    """The repository a task's work goes to, ours where its folder is in none; None while there is none."""
    if task.place in PLAIN:
        return folders.find(config.folders, task.workspace, task.id)
    return discovery.locate(task.workspace) if os.path.isdir(task.workspace) else None


def worktree_of(task: Task, config: Config) -> Worktree | None:
    """The task's worktree as it was last created, whether or not its folder is still there."""
    return worktrees.find(config.repositories, task.id)


def attempt_directories(task: Task, config: Config) -> list[Path]:
    """The attempt directories of a task."""
    rows = Attempt.select(Attempt.id).where(Attempt.task == task.number)
    return [config.attempts / row.id for row in rows if (config.attempts / row.id).is_dir()]
