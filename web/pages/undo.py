"""Taking back: the page that says what an undo would do, and the worktrees that were removed of late."""

from __future__ import annotations

import shlex
from datetime import timedelta
from typing import Any

from flask import Flask
from werkzeug.wrappers import Response as BaseResponse

from shared import archive, landings, tasks
from shared.clock import now
from shared.commands import CommandKind, State
from shared.errors import Refused
from shared.store.models import INSERTED, Attempt, Command, Task
from web import effects
from web.pages import forms, frame, task_details
from web.security import Authority, authority, writes

MOST_REMOVED = 50
MOST_OPENED = 20
LONG_WORK = (CommandKind.MERGE, CommandKind.VERIFY, CommandKind.REBASE, CommandKind.UNDO)


def install(app: Flask) -> None:
    app.add_url_rule("/ui/tasks/<id>/undo", "undo_page", ask)
    app.add_url_rule("/ui/tasks/<id>/undo", "undo_form", undo, methods=["POST"])


@authority(Authority.PAGE)
@writes
def ask(id: str) -> str:
    """What an undo would do now, what stands in its way, and the one button that does it."""
    task = tasks.get(id)
    seen, problem = _looked(task)
    task = tasks.get(id)
    return frame.page(
        "changes/undo.html",
        tab="changes",
        task=task,
        details=task_details.details(task),
        act=f"/ui/tasks/{task.id}",
        seen=seen,
        problem_said=problem,
    )


def _looked(task: Task) -> tuple[dict[str, Any] | None, str | None]:
    try:
        command = effects.finished(
            landings.request_work(task, CommandKind.UNDO_PREVIEW), effects.WORK_SECONDS
        )
        effects.raise_refusal(command)
    except Refused as refused:
        return None, refused.detail
    if command.finished_at is None:
        return None, "No worker has looked at this yet. Try again in a moment."
    return dict(command.result or {}), None


@forms.action(lambda id: f"undo:{id}")
def undo(id: str) -> BaseResponse:
    """Undo what was shown; the worker refuses what has changed since."""
    task = tasks.get(id)
    command = landings.request_work(task, CommandKind.UNDO)
    effects.raise_refusal(effects.finished(command, effects.WORK_SECONDS))
    return forms.leave(f"/ui/tasks/{task.id}/changes")


def recently_removed() -> list[Task]:
    """Tasks whose worktree was removed with work that is not merged and can still be brought back, newest first."""
    since = now() - timedelta(days=archive.KEPT_DAYS)
    rows = Task.select().where(Task.worktree_cleaned_at > since, Task.worktree_merged_at.is_null())
    rows = rows.where(Task.diff_stat.is_null(False), Task.diff_stat != "")
    return list(rows.order_by(Task.worktree_cleaned_at.desc()).limit(MOST_REMOVED))


def news(task: Task) -> dict[str, Any] | None:
    """What became of the last work on the repository that outlasted its answer: `{kind, detail}`; no detail: it goes on.

    After a rebase that marked conflicts also `editor`: what opens their files.
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
        return _marked(dict(row.result or {}))
    waited = (row.finished_at - row.accepted_at).total_seconds() > effects.WORK_SECONDS
    if row.state != State.REFUSED or not waited:
        return None
    return {"kind": row.kind, "detail": str((row.result or {}).get("detail") or "")}


def _marked(result: dict[str, Any]) -> dict[str, Any] | None:
    paths = [one["path"] for one in result.get("conflicts") or []]
    if not paths:
        return None
    place = shlex.quote(str(result["worktree_path"]))
    files = " ".join(shlex.quote(path) for path in paths[:MOST_OPENED])
    return {
        "kind": "rebase",
        "detail": None,
        "editor": f"cd {place} && ${{EDITOR:-vi}} {files}",
        "files": len(paths),
    }
