"""What kind of place a task works in."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class TaskPlace(StrEnum):
    """`worktree`: one of its repository. `copy`: of a folder without git. `in-place`: such a folder itself."""

    WORKTREE = "worktree"
    COPY = "copy"
    IN_PLACE = "in-place"


#: Those of folders without git: git directories of ours stand for the repository there is not.
PLAIN = frozenset({TaskPlace.COPY, TaskPlace.IN_PLACE})
#: The option by which a person consents to it when a task is made.
OPTION = "place"


def consents(options: Mapping[str, Any]) -> bool:
    """Whether a person agreed that the agent edits the folder itself."""
    return options.get(OPTION) == TaskPlace.IN_PLACE


def shown(place: str | None, options: Mapping[str, Any]) -> str | None:
    """What a task says of its place: None until it has one, unless it was asked to work in place."""
    return place or (str(TaskPlace.IN_PLACE) if consents(options) else None)
