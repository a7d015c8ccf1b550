"""Landing and looking from a desk, with the words the landing tests share."""

from __future__ import annotations

from workers.repository import landing
from workers.repository.strategies import Recipe

TASK = "0123abcd-task"
WORK = (
    "echo more >> a.txt; echo new > new.txt; mkdir made; echo m > made/m.txt; rm -r gone; mv d.txt moved.txt"
)


def land(desk, taken, **words):
    words.setdefault("target_branch", "main")
    recipe = Recipe(
        words.pop("strategy", "squash"),
        words.pop("message", "Land the work"),
        history=words.pop("history", None),
    )
    return landing.land(desk.repository(), taken, recipe=recipe, **words)


def look(desk, taken, **words):
    words.setdefault("target_branch", "main")
    return landing.preview(desk.repository(), taken, **words)


def refs(desk) -> str:
    return desk.sh("git for-each-ref | grep -v refs/openruntime/backup || true")
