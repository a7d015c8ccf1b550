"""Landing and looking from a desk, with the words the landing tests share."""

from __future__ import annotations

from workers.repository import landing
from workers.repository.strategies import Recipe

TASK = "0123abcd-task"
WORK = (
    "echo more >> a.txt; echo new > new.txt; mkdir made; echo m > made/m.txt; rm -r gone; mv d.txt moved.txt"
)


#: All that a landing on `main`, checked out, changes in the git directory beside objects and refs of ours.
MOVED = {".git/index", ".git/refs/heads/main", ".git/logs/HEAD", ".git/logs/refs/heads/main"}
#: The same on `side`, which is checked out elsewhere or nowhere.
MOVED_SIDE = {".git/refs/heads/side", ".git/logs/refs/heads/side"}


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """What differs between two states of a checkout."""
    return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}


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
