"""Deleted tasks on the board's archive: put one back, or delete it for good."""

from __future__ import annotations

from flask import Flask
from werkzeug.wrappers import Response as BaseResponse

from shared import deletion
from web import effects
from web.pages import forms

#: The refused task may have left the list, so one place shows every refusal.
SCOPE = "deleted"


def install(app: Flask) -> None:
    app.add_url_rule("/ui/deleted/<id>/restore", "restore_task_form", restore, methods=["POST"])
    app.add_url_rule("/ui/deleted/<id>/forget", "forget_task_form", forget, methods=["POST"])


@forms.action(SCOPE)
def restore(id: str) -> BaseResponse:
    """Put the task back, and go to it."""
    return forms.leave(f"/ui/tasks/{deletion.put_back(deletion.find(id)).id}")


@forms.action(SCOPE)
def forget(id: str) -> BaseResponse:
    """Delete it for good, at once."""
    effects.gone(deletion.request_for_good(deletion.find(id)))
    return forms.leave("/?archived=1")
