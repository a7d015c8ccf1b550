"""Kept secrets on the pages: their names among the settings, and what a workspace grants each of its tasks."""

from __future__ import annotations

from flask import Flask
from pydantic import ValidationError
from werkzeug.wrappers import Response as BaseResponse

from shared import workspaces
from shared.errors import NotFound
from shared.secrets import keeping
from web import problems
from web.api import schemas
from web.bodies import verbatim
from web.pages import forms
from web.pages.settings import PATH

VALUE = 70_000


def install(app: Flask) -> None:
    app.add_url_rule(f"{PATH}/secrets", "keep_secret", keep, methods=["POST"])
    app.add_url_rule(f"{PATH}/secrets/<name>/forget", "forget_secret", forget, methods=["POST"])
    app.add_url_rule("/ui/workspaces/<id>/grants", "grant_in_workspace", grant, methods=["POST"])
    app.add_url_rule("/ui/workspaces/<id>/grants/<name>/end", "end_grant", end_grant, methods=["POST"])


@verbatim
@forms.action("secret")
def keep() -> BaseResponse:
    """The value is taken as it was typed: a field of a form ends its lines with CR LF, a key file with LF."""
    value = forms.raw("value", VALUE).replace("\r\n", "\n")
    keeping.keep(_name("name"), value)
    return forms.leave(PATH)


@forms.action(lambda name: f"secret:{name}")
def forget(name: str) -> BaseResponse:
    keeping.remove(name)
    return forms.leave(PATH)


@forms.action("grant")
def grant(id: str) -> BaseResponse:
    name = _name("name")
    granted = _granted(id)
    workspaces.change(id, {"env": [*granted, *([] if name in granted else [name])]})
    return forms.leave(f"/ui/workspaces/{id}/rules")


@forms.action("grant")
def end_grant(id: str, name: str) -> BaseResponse:
    granted = _granted(id)
    if name not in granted:
        raise NotFound(f"The workspace does not grant {name}.")
    granted.remove(name)
    workspaces.change(id, {"env": granted or None})
    return forms.leave(f"/ui/workspaces/{id}/rules")


def _granted(id: str) -> list[str]:
    return list(workspaces.get(id).defaults.get("env") or [])


def _name(field: str) -> str:
    """The name of a variable that may be granted; raises WrongShape."""
    try:
        return schemas.Grant.model_validate({"name": forms.field(field, 128)}).name
    except ValidationError as error:
        raise problems.shape(error) from None
