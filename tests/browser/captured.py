"""Stored captures of changes nobody made: hostile ones, and as many as the bars of performance.md name."""

from __future__ import annotations

import random
from uuid import uuid4

from shared.review import landings
from shared.store.models import Task

Change = tuple[str, list[str], list[str]]


def capture(row: Task, changes: list[Change]) -> None:
    """A stored capture in which each file's old lines became its new ones."""
    files, patch = [], b""
    for path, old, new in changes:
        files.append(
            {
                "path": path,
                "old_path": None,
                "status": "modified" if old else "added",
                "additions": len(new),
                "deletions": len(old),
                "binary": False,
                "old_blob": "1" * 40,
                "new_blob": "2" * 40,
                "old_mode": "100644",
                "new_mode": "100644",
                "flags": [],
            }
        )
        body = "".join(f"-{line}\n" for line in old) + "".join(f"+{line}\n" for line in new)
        head = (
            f"diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n@@ -1,{len(old)} +1,{len(new)} @@\n"
        )
        patch += (head + body).encode("utf-8", "replace")
    keep(row, files, patch)


def keep(row: Task, files: list[dict[str, object]], patch: bytes) -> None:
    added, removed = (sum(int(str(file[name])) for file in files) for name in ("additions", "deletions"))
    stat = f" {len(files)} files changed, {added} insertions(+), {removed} deletions(-)"
    record = landings.CaptureRecord(
        "a" * 40, uuid4().hex + "0" * 8, uuid4().hex + "0" * 8, stat, files, patch, False, []
    )  # type: ignore[arg-type]
    landings.keep_capture(row, record)


WORDS = "hub policy agent so then module queue resume cursor tests write event scope narrow between".split()


def big_capture(row: Task, files: int = 60, lines_each: int = 93) -> None:
    """As many files and diff lines as the bar of performance.md names."""
    chance = random.Random(7)
    listed: list[dict[str, object]] = []
    patch = b""
    for number in range(files):
        path = f"src/{('server', 'ui', 'db', 'tests')[number % 4]}/module_{number:02}.{('py', 'js', 'md')[number % 3]}"
        body, old, new, added, removed = [], 1, 1, 0, 0
        while len(body) < lines_each:
            text = f"    {chance.choice(WORDS)}_{number} = {chance.choice(WORDS)}({chance.choice(WORDS)}, {len(body)}, 'text')  # {chance.choice(WORDS)}"
            turn = chance.random()
            if turn < 0.25:
                body += [f"-{text}", f"+{text.replace('text', 'word')}"]
                added, removed = added + 1, removed + 1
            elif turn < 0.45:
                body.append(f"+{text}")
                added += 1
            else:
                body.append(f" {text}")
        old, new = len(body) - added, len(body) - removed
        patch += f"diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n@@ -1,{old} +1,{new} @@ def handler_{number}():\n".encode()
        patch += ("\n".join(body) + "\n").encode()
        listed.append(
            {
                "path": path,
                "old_path": None,
                "status": "modified",
                "additions": added,
                "deletions": removed,
                "binary": False,
                "old_blob": "1" * 40,
                "new_blob": "2" * 40,
                "old_mode": "100644",
                "new_mode": "100644",
                "flags": [],
            }
        )
    keep(row, listed, patch)
