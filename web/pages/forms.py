"""Forms: each works as a plain POST that leads back with 303, and is upgraded to a partial by htmx."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from flask import Response, current_app, g, make_response, redirect, request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from shared.errors import Refused
from web import problems
from web.pages import frame
from web.security import Authority, authority

View = Callable[..., Any]
BACK = "back"


def is_upgraded() -> bool:
    """Whether htmx sent this request, and wants a partial."""
    return request.headers.get("HX-Request") == "true"


def action(scope: Callable[..., str] | str) -> Callable[[View], View]:
    """A POST route behind the door. A refusal is shown at the form named by `scope`, on the page it came from.

    htmx gets the refusal as a problem document instead; its script puts the sentence into the form.
    """

    def wrap(view: View) -> View:
        @functools.wraps(view)
        def act(**values: Any) -> Any:
            try:
                return view(**values)
            except Refused as error:
                if is_upgraded():
                    raise
                frame.refuse(scope if isinstance(scope, str) else scope(**values), error)
                return shown_again(error)

        return authority(Authority.PAGE)(act)

    return wrap


def done(partial: Callable[[], str], *, to: str | None = None) -> BaseResponse:
    """The answer to a form that had its effect."""
    if is_upgraded():
        return make_response(partial())
    return redirect(to or back(), 303)


def leave(to: str) -> BaseResponse:
    """Lead to another page of ours."""
    if is_upgraded():
        return Response(status=204, headers={"HX-Redirect": to})
    return redirect(to, 303)


def back() -> str:
    """The page of ours the form stands on; anything else leads to the board."""
    given = request.form.get(BACK, "/")
    parts = urlsplit(given)
    local = given.startswith("/") and not given.startswith("//") and "\\" not in given
    if not local or parts.scheme or parts.netloc or not given.isprintable():
        return "/"
    return given


def shown_again(error: Refused) -> Response:
    """The page the form stands on, with the refusal in it."""
    parts = urlsplit(back())
    g.page_query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    try:
        endpoint, values = current_app.url_map.bind("", url_scheme="http").match(parts.path, method="GET")
    except HTTPException:
        endpoint, values = "board", {}
    view = current_app.view_functions[endpoint]
    if getattr(view, "authority", None) is not Authority.PAGE:
        view, values = current_app.view_functions["board"], {}
    return make_response(current_app.ensure_sync(view)(**values), error.status)


def field(name: str, most: int = 4096) -> str:
    """A field's text without the space around it; raises Refused when it is too long or holds a NUL."""
    return raw(name, most).strip()


def raw(name: str, most: int) -> str:
    """A field's text as it was sent; raises Refused when it is too long or holds a NUL."""
    text = request.form.get(name, "")
    if len(text) > most:
        raise Refused(f"{name.replace('_', ' ').capitalize()} may have {most:,} characters at most.")
    if "\0" in text:
        raise Refused("Text with a NUL character cannot be used.")
    return text


def body(model: type[BaseModel], **given: Any) -> dict[str, Any]:
    """The same body an API client would send, with what is empty left out; raises WrongShape for unusable values."""
    said = {
        name: value.replace("\r\n", "\n") if isinstance(value, str) else value
        for name, value in given.items()
        if value
    }
    try:
        return model.model_validate(said).model_dump(exclude_none=True)
    except ValidationError as error:
        raise problems.shape(error) from None


def whole(name: str, default: int | None, low: int, high: int) -> int | None:
    """A field's whole number; `default` when it is empty."""
    text = field(name, 32)
    if not text:
        return default
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text)
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10 and low <= sign * int(digits) <= high):
        raise Refused(f"{name.replace('_', ' ').capitalize()} must be a whole number from {low} to {high}.")
    return sign * int(digits)
