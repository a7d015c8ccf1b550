"""What a task's programs asked the network for, and the hosts a person opens to it."""

from __future__ import annotations

from flask import Flask
from werkzeug.wrappers import Response as BaseResponse

from shared import tasks
from shared.network import host_grants
from web.pages import forms

HOST = 300


def install(app: Flask) -> None:
    app.add_url_rule("/ui/tasks/<id>/hosts", "open_host", add, methods=["POST"])
    app.add_url_rule("/ui/tasks/<id>/hosts/remove", "shut_host", remove, methods=["POST"])


@forms.action("host")
def add(id: str) -> BaseResponse:
    host_grants.add(tasks.get(id), forms.field("host", HOST))
    return forms.leave(f"/ui/tasks/{id}/policy#network")


@forms.action("host")
def remove(id: str) -> BaseResponse:
    host_grants.remove(tasks.get(id), forms.field("host", HOST))
    return forms.leave(f"/ui/tasks/{id}/policy#network")
