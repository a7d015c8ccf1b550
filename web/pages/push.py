"""Pushing from the dashboard: the page that shows remote, branch and commands, and the button that runs them."""

from __future__ import annotations

from typing import Any

from flask import Flask, request
from werkzeug.wrappers import Response as BaseResponse

from shared import tasks
from shared.commands import CommandKind
from shared.errors import Conflict, Refused
from shared.review import landings
from shared.store.models import Task
from web import effects
from web.api import schemas
from web.pages import forms, frame, landing, task_details
from web.security import Authority, authority, writes


def install(app: Flask) -> None:
    app.add_url_rule("/ui/tasks/<id>/push", "push_page", ask)
    app.add_url_rule("/ui/tasks/<id>/push", "push_form", push, methods=["POST"])


@authority(Authority.PAGE)
@writes
def ask(id: str) -> str:
    """What a push would send where, what objects to it, and the form; nothing runs yet."""
    task = tasks.get(id)
    seen, problem = _looked(task)
    task = tasks.get(id)
    return frame.page(
        "changes/push.html",
        tab="changes",
        **task_details.frame(task),
        seen=seen,
        problem_said=problem,
        objections=landing.objections(seen),
        ready=landing.is_ready(seen),
        message=landings.proposed_message(task),
    )


def _looked(task: Task) -> tuple[dict[str, Any] | None, str | None]:
    try:
        wished = forms.body(schemas.Push, remote=frame.query("remote"), branch=frame.query("branch"))
    except Refused as refused:
        return None, refused.detail
    return landing.look(task, CommandKind.PUSH_PREVIEW, wished)


@forms.action(lambda id: f"push:{id}")
def push(id: str) -> BaseResponse:
    """Push exactly what was shown."""
    task = tasks.get(id)
    wished: dict[str, Any] = {
        name: forms.field(name, most)
        for name, most in (("remote", 255), ("branch", 255), ("head_oid", 64), ("target_oid", 64))
    }
    if forms.field("shown", 600) != f"{wished['remote']} {wished['branch']}":
        raise Conflict("Remote or branch are not those of the commands that were shown: look again first.")
    wished["message"] = forms.field("message", 20_000)
    wished["override"] = request.form.getlist("override")
    if forms.field("pull_request", 4) == "1":
        said = {"title": forms.field("title", 255), "draft": forms.field("draft", 4) == "1"}
        body = forms.field("body", 20_000).replace("\r\n", "\n")
        wished["pull_request"] = {**{name: value for name, value in said.items() if value}, "body": body}
    command = landings.request_work(task, CommandKind.PUSH, forms.body(schemas.Push, **wished))
    effects.carried_out(command, effects.WORK_SECONDS)
    return forms.leave(f"/ui/tasks/{task.id}/changes")
