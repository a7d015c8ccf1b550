"""Errors of pages as pages: one sentence and a way on, where the API answers with a problem document."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, make_response, redirect, render_template, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from shared.errors import NotFound, Refused
from web import problems
from web.pages.forms import is_upgraded
from web.security import Authority


def install(app: Flask) -> None:
    """Take over the errors of page routes; all others stay the API's."""

    @app.errorhandler(Refused)
    def refused(error: Refused) -> BaseResponse:
        answer = problems.refused(error)
        return _page(app, answer, error.title, error.detail)

    @app.errorhandler(HTTPException)
    def failed(error: HTTPException) -> BaseResponse:
        answer = problems.http(error)
        told: dict[str, Any] = answer.get_json(silent=True) or {}
        if error.code == 404:
            gone = NotFound("There is no page at this address.")
            return _page(app, answer, gone.title, gone.detail)
        return _page(app, answer, str(told.get("title", "")), str(told.get("detail", "")))


def _page(app: Flask, answer: Response, title: str, detail: str) -> BaseResponse:
    if is_upgraded() or not _is_page(app):
        return answer
    if answer.status_code == 401:
        return redirect("/login", 303)
    page = make_response(render_template("failure.html", title=title, detail=detail), answer.status_code)
    for name in ("Retry-After", "Allow"):
        if name in answer.headers:
            page.headers[name] = answer.headers[name]
    return page


def _is_page(app: Flask) -> bool:
    view = app.view_functions.get(request.endpoint or "")
    if view is None:
        return request.path.startswith("/ui/")
    return getattr(view, "authority", None) is Authority.PAGE
