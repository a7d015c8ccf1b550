"""Putting a task away from a page: archive it, take it back, delete it after a look at what goes with it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import urlencode

from flask import Flask
from werkzeug.wrappers import Response as BaseResponse

from shared import archive, deletion, fleet, tasks
from shared.commands import CommandKind
from shared.errors import Conflict, NotReady, Refused
from shared.review import landings
from shared.store.models import Attempt, Capture, Task
from web import effects
from web.pages import forms, frame, task_details
from web.reading import snapshot
from web.security import Authority, authority


@dataclass(frozen=True)
class Notice:
    """What was just done: `archived`, `restored`, `deleted` or `deleting`."""

    kind: str
    task: Task | None = None


@dataclass(frozen=True)
class Going:
    """What a deletion takes with it; `worktree` is None where there is none any more, `unmerged` counts files."""

    events: int
    attempts: int
    captures: int
    worktree: str | None
    unmerged: int


def install(app: Flask) -> None:
    app.add_url_rule("/ui/tasks/<id>/archive", "archive_form", put_away, methods=["POST"])
    app.add_url_rule("/ui/tasks/<id>/unarchive", "unarchive_form", take_back, methods=["POST"])
    app.add_url_rule("/ui/tasks/<id>/delete", "delete_page", ask)
    app.add_url_rule("/ui/tasks/<id>/delete", "delete_form", delete, methods=["POST"])


def notice() -> Notice | None:
    """The notice an address of the board asks for; None for anything that is not one of ours."""
    kind, given = frame.query("notice"), frame.query("task")
    try:
        if kind in ("archived", "restored"):
            return Notice(kind, tasks.get(given))
        if kind == "deleted":
            return Notice(kind, deletion.find(given))
        if kind == "deleting":
            return Notice(kind)
    except Refused:
        pass
    return None


def _of_task(id: str) -> str:
    return f"task:{id}"


@forms.action(_of_task)
def put_away(id: str) -> BaseResponse:
    """Leave the task out of the lists."""
    return _noticed(Notice("archived", archive.set_archived(tasks.get(id), True)))


@forms.action(_of_task)
def take_back(id: str) -> BaseResponse:
    """Back into the lists; on the task's own page one stays there."""
    task = archive.set_archived(tasks.get(id), False)
    stays = forms.back().startswith(f"/ui/tasks/{task.id}")
    return _noticed(Notice("restored", task), to=forms.back() if stays else None)


def _noticed(said: Notice, to: str | None = None) -> BaseResponse:
    """The notice in place of the one before, or the board with it."""
    assert said.task is not None  # noqa: S101 - both callers have one
    query = urlencode({"notice": said.kind, "task": said.task.id})
    answer = forms.done(lambda: frame.page("parts/notice.html", notice=said), to=to or f"/?{query}")
    answer.headers["HX-Trigger"] = json.dumps({"openruntime:task": {"id": said.task.id}})
    return answer


@authority(Authority.PAGE)
def ask(id: str) -> str:
    """What goes with the task, and the one button that does it."""
    with snapshot():
        task = tasks.get(id)
        return frame.page(
            "task/delete.html", task=task, act=f"/ui/tasks/{task.id}", going=going(task), live=_is_live(task)
        )


def going(task: Task) -> Going:
    present = task.worktree_path is not None and task.worktree_cleaned_at is None
    unmerged = present and task.worktree_merged_at is None
    return Going(
        events=task.last_seq,
        attempts=Attempt.select().where(Attempt.task == task.number).count(),
        captures=Capture.select().where(Capture.task == task.number).count(),
        worktree=task.worktree_path if present else None,
        unmerged=task_details.changed_files(task) if unmerged else 0,
    )


def _is_live(task: Task) -> bool:
    return task.live_attempt is not None


@forms.action(_of_task)
def delete(id: str) -> BaseResponse:
    """The worktree first, then the task; `force` says that unmerged work may go, and where nothing was asked nothing goes."""
    task = tasks.get(id)
    if not _is_live(task) and going(task).worktree is not None:
        _remove_worktree(task, force=forms.field("force", 4) == "1")
    if effects.gone(deletion.request(task)):
        return forms.leave(f"/?{urlencode({'notice': 'deleted', 'task': task.id})}")
    return forms.leave("/?notice=deleting")


def _remove_worktree(task: Task, *, force: bool) -> None:
    """Clean up, and wait for it."""
    if not fleet.live_workers():
        raise NotReady(
            "No worker is running, so the worktree cannot be removed. Start one, then delete the task."
        )
    command = landings.request_work(task, CommandKind.CLEANUP, {"force": force})
    command = effects.carried_out(command, effects.WORK_SECONDS)
    if command.finished_at is None:
        raise Conflict("The worktree is still being removed; delete the task in a moment.")
