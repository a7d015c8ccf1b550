"""Signing in with a one-time link, and signing out."""

from __future__ import annotations

import threading
from typing import Any

from flask import Flask, Response, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from shared.access import accounts
from shared.errors import BadRequest, TooLarge, Unauthenticated, Unavailable, UnsupportedMedia
from web import answers
from web.security import Authority, authority, cookie_name, count_failure
from web.services import services

DAY_SECONDS = 24 * 60 * 60
BODY_BYTES = 16 * 1024
_reading = threading.BoundedSemaphore(8)
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
SPENT = "This link is used up or has expired; `openruntime login` prints a fresh one."


def install(app: Flask) -> None:
    app.add_url_rule("/login", "login_page", login_page)
    app.add_url_rule("/login", "sign_in", sign_in, methods=["POST"])
    app.add_url_rule("/logout", "sign_out", sign_out, methods=["POST"])


@authority(Authority.PUBLIC)
def login_page() -> str:
    return render_template("login.html", failed=False)


@authority(Authority.PUBLIC)
def sign_in() -> BaseResponse | tuple[str, int]:
    """Turn a one-time token into a login; a form leads to the board, JSON gets the CSRF token."""
    as_form = request.mimetype in FORMS
    token = _given(as_form).get("token")
    if not isinstance(token, str):
        raise BadRequest("Signing in needs a token.")
    #: People paste the whole link.
    if not accounts.redeem(token.strip().rpartition("#token=")[2]):
        count_failure()
        if as_form:
            return render_template("login.html", failed=True), 401
        raise Unauthenticated(SPENT)
    cookie, csrf = accounts.sign_in()
    answer = redirect("/", 303) if as_form else answers.value({"csrf_token": csrf})
    answer.set_cookie(
        cookie_name(services().config),
        cookie,
        max_age=accounts.LOGIN_DAYS * DAY_SECONDS,
        httponly=True,
        samesite="Strict",
        secure=request.headers.get("Origin", "").startswith("https://"),
    )
    return answer


def _given(as_form: bool) -> dict[str, Any]:
    """The one body that is read for whoever asks: a short one, and of few at a time, for it may come slowly."""
    if not as_form and not request.is_json:
        raise UnsupportedMedia("Send the token as JSON or as a form.")
    if request.content_length is None:
        raise BadRequest("Send the length of the body.")
    if request.content_length > BODY_BYTES:
        raise TooLarge(f"Signing in takes {BODY_BYTES} bytes at most.")
    if not _reading.acquire(blocking=False):
        raise Unavailable("Too many sign in at this moment; try again in one.")
    try:
        return request.form.to_dict() if as_form else request.get_json()
    finally:
        _reading.release()


@authority(Authority.OWNER)
def sign_out() -> BaseResponse:
    """End this browser's login."""
    name = cookie_name(services().config)
    cookie = request.cookies.get(name)
    if cookie:
        accounts.sign_out(cookie)
    answer = redirect("/login", 303) if request.mimetype in FORMS else Response(status=204)
    answer.delete_cookie(name, httponly=True, samesite="Strict")
    return answer
