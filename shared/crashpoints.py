"""Named points between one durable step and the next, at which tests/chaos ends the process as kill -9 would."""

from __future__ import annotations

import os
from typing import Literal, get_args

Point = Literal[
    "ring.before",
    "start.claimed",
    "start.worktree",
    "start.placed",
    "start.before-commit",
    "start.after-commit",
    "start.after-go",
    "progress.before-store",
    "progress.after-store",
    "steering.before-ask",
    "steering.after-ask",
    "steering.finished",
    "end.captured",
    "end.finished",
    "takeover.adopted",
    "work.taken",
    "work.finished",
    "merge.intent",
    "merge.moved",
    "merge.recorded",
    "cleanup.preserved",
    "cleanup.removed",
    "cleanup.recorded",
    "undo.intent",
    "undo.moved",
    "undo.restored",
    "rebase.planned",
    "rebase.moved",
]
POINTS: tuple[Point, ...] = get_args(Point)
VARIABLE = "OPENRUNTIME_CRASH"
#: What a shell reports for a process that was killed by SIGKILL.
KILLED = 137

_name, _, _count = os.environ.get(VARIABLE, "").partition(":")
_left = int(_count or 1)


def crashpoint(name: Point) -> None:
    """Nothing, unless OPENRUNTIME_CRASH was `name` or `name:n` at import: then the n-th time is the process's end."""
    global _left
    if name != _name:
        return
    _left -= 1
    if _left == 0:
        os._exit(KILLED)
