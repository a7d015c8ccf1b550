"""Errors of pages as pages: one sentence and a way on, where the API answers with a problem document."""

from __future__ import annotations

import json
from typing import Any

from flask import Flask, Response, g, render_template, request

from web import problems
from web.pages.forms import is_upgraded
from web.security import Authority

KEPT = ("Retry-After", "Allow")
NO_PAGE = "There is no page at this address."


def install(app: Flask) -> None:
    """Turn the problem documents of page routes into pages; everything else stays the API's."""

    @app.after_request
    def as_page(answer: Response) -> Response:
        if answer.mimetype != problems.MIMETYPE or is_upgraded() or not _is_page(app):
            return answer
        told: dict[str, Any] = json.loads(answer.get_data())
        detail = NO_PAGE if request.endpoint is None else told["detail"]
        page = Response(_rendered(told["title"], detail), answer.status_code, mimetype="text/html")
        for name in KEPT:
            if name in answer.headers:
                page.headers[name] = answer.headers[name]
        return page


def _rendered(title: str, detail: str) -> str:
    """The frame needs the store; where that is what failed, the sentence stands alone."""
    try:
        return render_template("failure.html", title=title, detail=detail, signed_in="credential" in g)
    except Exception:  # noqa: BLE001 - an error page must not fail
        return render_template("failure.html", title=title, detail=detail, signed_in=False)


def _is_page(app: Flask) -> bool:
    view = app.view_functions.get(request.endpoint or "")
    if view is None:
        return request.path.startswith("/ui/")
    return getattr(view, "authority", None) is Authority.PAGE
