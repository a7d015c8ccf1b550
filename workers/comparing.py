"""The command `compare`: two states of a task, or of two tasks of one workspace, compared and kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shared import tasks
from shared.config import Config
from shared.errors import Conflict
from shared.review import comparisons, points
from shared.review.comparisons import ComparisonRecord
from shared.review.points import Pair
from shared.store.models import Command, Task
from workers.attempts import capturing, granting
from workers.attempts.place import repository_of, worktree_of
from workers.repository import comparing, difference


def compare(task: Task, command: Command, config: Config) -> dict[str, Any]:
    """`{comparison}`: the id of the comparison from `from` to `to` of the command's body, made if there is none yet.

    Raises Conflict where a state is not stored any more, else as `points.pair` does.
    """
    body = command.body
    other = tasks.get(body["with"]) if body.get("with") else None
    found = points.pair(task, body["from"], body["to"], other)
    row = comparisons.kept(found) or comparisons.keep(found, _made(found, config))
    return {"comparison": row.id}


def _made(found: Pair, config: Config) -> ComparisonRecord:
    repository = repository_of(found.task, config)
    if repository is None:
        raise Conflict(f"{found.task.workspace} is not in a git repository any more.")
    sides = [found.task] if found.other is None else [found.task, found.other]
    borrowed = [place for task in sides for place in _objects(task, config)]
    with comparing.reading(repository, borrowed) as own:
        old, new = (comparing.tree_of(own, state) for state in (found.old, found.new))
        files, patch, truncated = comparing.compare(own, old, new)
    redactor = granting.redactor(sides[0], config, *sides[1:])
    return ComparisonRecord(
        old_oid=old,
        new_oid=new,
        stat=redactor.redact(difference.summary(files)),
        files=capturing.files_of(sides[-1], files, redactor),
        patch=redactor.feed(patch) + redactor.flush(final=True),
        truncated=truncated,
    )


def _objects(task: Task, config: Config) -> list[Path]:
    """Where the task's captures are, while it has a worktree; then the repository holds what is kept of them."""
    worktree = worktree_of(task, config)
    place = worktree.capture_git_directory / "objects" if worktree is not None else None
    return [place] if place is not None and place.is_dir() else []
