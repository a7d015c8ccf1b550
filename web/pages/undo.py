"""Taking back: the page that says what an undo would do, and the worktrees that were removed of late."""

from __future__ import annotations

from datetime import timedelta

from flask import Flask
from werkzeug.wrappers import Response as BaseResponse

from shared import archive, tasks
from shared.clock import now
from shared.commands import CommandKind
from shared.review import landings
from shared.store.models import Task
from web import effects
from web.pages import forms, frame, landing, task_details
from web.security import Authority, authority, writes

MOST_REMOVED = 50


def install(app: Flask) -> None:
    app.add_url_rule("/ui/tasks/<id>/undo", "undo_page", ask)
    app.add_url_rule("/ui/tasks/<id>/undo", "undo_form", undo, methods=["POST"])


@authority(Authority.PAGE)
@writes
def ask(id: str) -> str:
    """What an undo would do now, what stands in its way, and the one button that does it."""
    task = tasks.get(id)
    seen, problem = landing.look(task, CommandKind.UNDO_PREVIEW, {})
    task = tasks.get(id)
    return frame.page(
        "changes/undo.html",
        tab="changes",
        **task_details.frame(task),
        seen=seen,
        problem_said=problem,
    )


@forms.action(lambda id: f"undo:{id}")
def undo(id: str) -> BaseResponse:
    """Undo what was shown, from where the branch stood then."""
    task = tasks.get(id)
    target = forms.field("target_oid", 64)
    command = landings.request_work(task, CommandKind.UNDO, {"target_oid": target} if target else {})
    effects.carried_out(command, effects.WORK_SECONDS)
    return forms.leave(f"/ui/tasks/{task.id}/changes")


def recently_removed() -> list[Task]:
    """Tasks whose worktree was removed with work that is not merged and can still be brought back, newest first."""
    since = now() - timedelta(days=archive.KEPT_DAYS)
    rows = Task.select().where(Task.worktree_cleaned_at > since, Task.worktree_merged_at.is_null())
    rows = rows.where(Task.diff_stat.is_null(False), Task.diff_stat != "")
    return list(rows.order_by(Task.worktree_cleaned_at.desc()).limit(MOST_REMOVED))
