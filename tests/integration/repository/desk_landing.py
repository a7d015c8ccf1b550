"""Landing and looking from a desk, with the words the landing tests share."""

from __future__ import annotations

from workers.repository import landing

TASK = "0123abcd-task"
WORK = (
    "echo more >> a.txt; echo new > new.txt; mkdir made; echo m > made/m.txt; rm -r gone; mv d.txt moved.txt"
)


def land(desk, taken, **words):
    words.setdefault("message", "Land the work")
    words.setdefault("target_branch", "main")
    return landing.land(desk.repository(), taken, **words)


def look(desk, taken, **words):
    words.setdefault("target_branch", "main")
    return landing.preview(desk.repository(), taken, **words)


def refs(desk) -> str:
    return desk.sh("git for-each-ref | grep -v refs/openruntime/backup || true")
