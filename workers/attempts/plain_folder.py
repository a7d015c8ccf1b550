"""A task's place where the workspace is in no git repository: a copy of the folder, or with consent the folder itself."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from shared import groups
from shared.config import Config
from shared.errors import NotReady
from shared.events import Draft, Kind
from shared.store.models import Task
from shared.task_place import TaskPlace, consents, shown
from workers.repository import folders, in_place
from workers.repository.discovery import Repository
from workers.repository.snapshot import Flag
from workers.repository.worktree import Worktree

NAMED = 20
WHY = {
    "too-large": "too large for the snapshot",
    "too-much": "too much for the snapshot",
    "unreadable": "unreadable",
    "embedded-repository": "repositories of their own",
    "unsafe-name": "names git cannot record",
}


def repository(task: Task, config: Config) -> tuple[Repository, list[Draft]]:
    """The task's repository of ours, made at its first start; the events tell then what it holds.

    Raises NotReady for a folder that cannot be worked in, in one sentence.
    """
    whole = not consents(task.options) and task.place != TaskPlace.IN_PLACE
    if not whole:
        _refuse_another(task)
    found = folders.find(config.folders, task.workspace, task.id)
    if found is not None:
        return found, []
    _refuse(task, config, whole=whole)
    begun = folders.begin(
        config.folders,
        task.workspace,
        task.id,
        base=groups.base_of(task) if whole else None,
        whole=whole,
        closed=closed(Path(task.workspace), config),
    )
    return begun.repository, _told(task, begun, whole=whole)


def closed(folder: Path, config: Config) -> tuple[Path, ...]:
    """What within a folder is in no snapshot of it and nothing lands in: our own data, and the person's home."""
    return tuple(
        place for place in (config.data, _home()) if place != folder and place.is_relative_to(folder)
    )


def _home() -> Path:
    return Path(os.path.realpath(os.path.expanduser("~")))


def beside(task: Task, config: Config, found: Repository) -> Worktree:
    """What captures need of a task that works in place."""
    return in_place.create(found, task_id=task.id, repositories=config.repositories)


def _refuse(task: Task, config: Config, *, whole: bool) -> None:
    folder = Path(task.workspace)
    for name in (task.base_ref, task.target_branch):
        if name:
            raise NotReady(f"{folder} is in no git repository: there is no branch or commit {name!r}.")
    within = (
        () if whole else closed(folder, config)
    )  # an agent that edits the folder itself would have them at hand
    if folder.is_relative_to(config.data) or config.data in within:
        raise NotReady(f"openRuntime keeps its own data in {config.data}: choose another folder.")
    if folder == _home() or _home() in within:
        raise NotReady(f"{folder} holds your keys and settings: choose a folder inside your home.")
    if consents(task.options) and task.group_id is not None:
        raise NotReady("Tasks of one group do not work in one folder at once: let them work in copies.")


def _refuse_another(task: Task) -> None:
    others = Task.select(Task.options, Task.place).where(
        Task.workspace == task.workspace, Task.live_attempt.is_null(False), Task.number != task.number
    )
    if any(shown(other.place, other.options) == TaskPlace.IN_PLACE for other in others):
        raise NotReady(
            f"Another task is editing {task.workspace} in place: start this one when that has ended."
        )


def _told(task: Task, begun: folders.Begun, *, whole: bool) -> list[Draft]:
    if whole:
        said = (
            f"Running without worktree isolation by git, in a copy of {task.workspace}: it is in no git repository"
            f" ({begun.files:,} files)"
        )
    else:
        said = (
            f"Running without worktree isolation: {task.workspace} is in no git repository, and the agent edits it"
            " in place"
        )
    drafts = [Draft(Kind.LIFECYCLE, said)]
    if begun.flags:
        effect = (
            "not in the copy" if whole else "not in the snapshot: changes to it are neither shown nor undone"
        )
        drafts.append(Draft(Kind.LIFECYCLE, f"Left out, and {effect}: {left_out(begun.flags)}"))
    return drafts


def left_out(flags: Sequence[Flag]) -> str:
    """What a snapshot does not hold, by reason and name."""
    counts = Counter(flag.kind for flag in flags)
    parts = []
    for kind, count in counts.items():
        named = [flag.path or "a folder" for flag in flags if flag.kind == kind][:NAMED]
        more = f" and {count - len(named)} more" if count > len(named) else ""
        parts.append(f"{', '.join(named)}{more} ({WHY.get(kind, kind)})")
    return "; ".join(parts)
