"""The whole text of one version of a changed file, read out of git when somebody wants to see more than the patch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shared import groups
from shared.config import Config
from shared.errors import Conflict
from shared.review import versions
from shared.review.versions import TEXT, TEXT_BYTES, Version
from shared.secrets.redaction import Redactor
from shared.store.models import Command, Task
from workers.attempts import granting
from workers.attempts.place import repository_of, worktree_of
from workers.repository import objects

#: As git tells a binary file from a text.
BINARY_HEAD_BYTES = 8_000
GONE = "This version of the file is not kept any more."


def keep(task: Task, command: Command, config: Config) -> dict[str, Any]:
    """Keep the text of the blob that the command names, for the page that asked. Raises Conflict where there is none."""
    blob = str(command.body["blob"])
    redactor = granting.redactor(task, config)
    for git_dir in _git_directories(task, config):
        found = read(git_dir, blob, redactor)
        if found is not None:
            versions.keep(task, [found])
            return {"blob": blob}
    raise Conflict(GONE)


def read(git_dir: Path, blob: str, redactor: Redactor) -> Version | None:
    """A blob as a text that may be shown, at most 1 MiB of whole lines; None where the blob is not there.

    Raises Conflict over a binary file.
    """
    content = objects.beginning(git_dir, blob, TEXT_BYTES + redactor.longest)
    if content is None:
        return None
    if b"\0" in content[:BINARY_HEAD_BYTES]:
        raise Conflict("This is a binary file; it has no lines.")
    shown = redactor.redact_lines(content)
    if len(content) <= TEXT_BYTES:
        return Version(blob, TEXT, shown)
    #: Lines are counted before the masks: no secret that begins in them ends beyond what was read.
    lines = shown.split(b"\n")[: content.count(b"\n", 0, TEXT_BYTES)]
    return Version(blob, TEXT, b"".join(line + b"\n" for line in lines), is_cut=True)


def _git_directories(task: Task, config: Config) -> Iterator[Path]:
    """Where a task's objects may be: with its worktree, with one of its group that it is compared with, and after a
    cleanup in the person's repository.
    """
    others = [] if task.group_id is None else groups.members(groups.get(task.group_id))
    for one in [task, *(other for other in others if other.id != task.id)]:
        worktree = worktree_of(one, config)
        if worktree is not None and worktree.capture_git_directory.is_dir():
            yield worktree.capture_git_directory
    repository = repository_of(task, config)
    if repository is not None:
        yield repository.git_dir
