"""What a repository configures for an agent, shown before its first start: a person trusts it, or starts without."""

from __future__ import annotations

from flask import Flask, request
from werkzeug.wrappers import Response as BaseResponse

from shared import tasks, workspaces
from shared.agents import adoption, trust
from shared.errors import BadRequest, Conflict
from web import effects
from web.pages import board, forms, frame
from web.security import Authority, authority


def install(app: Flask) -> None:
    app.add_url_rule("/ui/tasks/<id>/trust", "trust_form", decide, methods=["POST"])
    app.add_url_rule("/ui/workspaces/<id>/trust", "workspace_trust", page)
    app.add_url_rule("/ui/workspaces/<id>/distrust", "distrust_form", take_back, methods=["POST"])


@forms.action(lambda id: f"task:{id}")
def decide(id: str) -> BaseResponse:
    """Trust exactly the files that were shown, or start without them; then start."""
    task = tasks.get(id)
    if forms.field("act", 8) == "ignore":
        trust.ignore(task)
    else:
        shown = set(request.form.getlist("file"))
        files = [row for row in trust.waiting(task) if str(row.id) in shown]
        if len(files) != len(shown) or not files:
            raise Conflict("The files have changed since they were shown: look again.")
        trust.trust(
            workspaces.workspace_id(task.workspace),
            [{"path": row.path, "digest": row.digest} for row in files],
        )
    effects.left_queue(effects.request_start(task, resume=adoption.is_adopted(task)))
    return forms.done(lambda: board.card_text(tasks.get(id)))


@authority(Authority.PAGE)
def page(id: str) -> str:
    """Every file found in a workspace, and which are trusted."""
    row = workspaces.get(id)
    return frame.page("workspace_trust.html", workspace=row, files=trust.in_workspace(id))


@forms.action(lambda id: f"trust:{id}")
def take_back(id: str) -> BaseResponse:
    if not trust.distrust(id):
        raise BadRequest("Nothing is trusted here.")
    return forms.leave(f"/ui/workspaces/{id}/trust")
