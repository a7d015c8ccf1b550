"""What became of a task's work on its repository, where that outlasted the answer to whoever asked for it."""

from __future__ import annotations

import shlex
from typing import Any

from shared.commands import CommandKind, State
from shared.store.models import INSERTED, Attempt, Command, Task
from web import effects

LONG_WORK = (
    CommandKind.MERGE,
    CommandKind.VERIFY,
    CommandKind.REBASE,
    CommandKind.PUSH,
    CommandKind.UNDO,
)
MOST_OPENED = 20


def news(task: Task) -> dict[str, Any] | None:
    """What became of the last work on the repository that outlasted its answer: `{kind, detail}`; no detail: it goes on.

    After a rebase `detail` is what it did, and where it marked conflicts there are also their `files`, the `place` that
    holds them and `editor`: what opens them.
    """
    row = (
        Command.select()
        .where(Command.task == task.number, Command.kind.in_(LONG_WORK))
        .order_by(INSERTED.desc())
        .first()
    )
    if row is None:
        return None
    if row.finished_at is None:
        return {"kind": row.kind, "detail": None}
    if Attempt.select().where(Attempt.task == task.number, Attempt.queued_at > row.accepted_at).exists():
        return None
    if row.kind == CommandKind.REBASE and row.state == State.APPLIED and task.worktree_merged_at is None:
        return _rebased(dict(row.result or {}))
    waited = (row.finished_at - row.accepted_at).total_seconds() > effects.WORK_SECONDS
    if row.state != State.REFUSED or not waited:
        return None
    return {"kind": row.kind, "detail": str((row.result or {}).get("detail") or "")}


def _rebased(result: dict[str, Any]) -> dict[str, Any]:
    found = {"kind": "rebased", "detail": str(result.get("message") or "")}
    paths = [one["path"] for one in result.get("conflicts") or []]
    if not paths:
        return found
    place = shlex.quote(str(result["worktree_path"]))
    files = " ".join(shlex.quote(path) for path in paths[:MOST_OPENED])
    return {
        **found,
        "editor": f"cd {place} && ${{EDITOR:-vi}} {files}",
        "place": result["worktree_path"],
        "files": len(paths),
    }


def pushed(task: Task) -> dict[str, Any] | None:
    """What came of the task's last push: its message, and the addresses of a pull request; None before the first."""
    rows = Command.select().where(Command.task == task.number, Command.kind == CommandKind.PUSH)
    row = rows.where(Command.state == State.APPLIED).order_by(INSERTED.desc()).first()
    return dict(row.result or {}) if row is not None else None
