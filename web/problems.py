"""Errors as problem+json: ours as they say, everything else without its insides."""

from __future__ import annotations

import json
import logging
import secrets
import sqlite3
from typing import Any

import peewee
from flask import Flask, Response, request
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException
from wsproto.utilities import ProtocolError

from shared.errors import Refused, TooLarge, Unavailable, WrongShape
from web.strict_json import BODY_BYTES

log = logging.getLogger(__name__)

MIMETYPE = "application/problem+json"
RETRY_SECONDS = 1
LISTED = 20


def install(app: Flask) -> None:
    """Answer every error of the application as a problem."""
    app.register_error_handler(Refused, refused)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(peewee.OperationalError, _store)
    app.register_error_handler(sqlite3.OperationalError, _store)
    app.register_error_handler(ProtocolError, _handshake)
    app.register_error_handler(Exception, _unexpected)


def problem(status: int, title: str, detail: str, slug: str, **extra: Any) -> Response:
    """The RFC 9457 object; `extra` are further fields."""
    body = {**extra, "title": title, "status": status, "detail": detail, "slug": slug}
    return Response(json.dumps(body, ensure_ascii=False, default=str), status=status, mimetype=MIMETYPE)


def refused(error: Refused) -> Response:
    extra = dict(error.extra)
    headers = extra.pop("headers", {})
    answer = problem(error.status, error.title, error.detail, error.slug, **extra)
    answer.headers.update(headers)
    if error.status == 503:
        answer.headers.setdefault("Retry-After", str(RETRY_SECONDS))
    return answer


def shape(error: ValidationError) -> WrongShape:
    """What pydantic found, as one sentence and a list; never with the values sent (they may be secrets)."""
    found = [
        {"field": ".".join(str(part) for part in item["loc"]), "message": str(item["msg"])}
        for item in error.errors(include_url=False, include_input=False, include_context=False)[:LISTED]
    ]
    first = found[0]
    said = f"{first['field']}: {first['message']}" if first["field"] else first["message"]
    return WrongShape(said, field=first["field"], errors=found)


def refuse_shape(error: ValidationError) -> Response:
    """The callback of flask-openapi: raises, so that one place renders."""
    raise shape(error)


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    if status == 413:
        return refused(TooLarge(f"A body may have {BODY_BYTES} bytes at most."))
    title = error.name
    detail = {
        404: "Not found: there is nothing at this address.",
        405: f"{request.method} is not possible here.",
    }
    said = detail.get(status, error.description or title)
    answer = problem(status, title, said, title.lower().replace(" ", "-"))
    for name, value in error.get_headers():
        if name.lower() in ("allow", "retry-after", "location"):
            answer.headers[name] = value
    return answer


def _store(error: Exception) -> Response:
    log.warning("the store refused %s %s: %s", request.method, request.path, error)
    return refused(Unavailable("The store is busy or cannot be written; try again in a moment."))


def _handshake(error: ProtocolError) -> Response:
    return problem(400, "Bad request", "This is not a websocket handshake.", "bad-request")


def _unexpected(error: Exception) -> Response:
    reference = secrets.token_hex(4)
    log.exception("error %s while serving %s %s", reference, request.method, request.path)
    said = f"Something went wrong inside; the log has it under {reference}."
    return problem(500, "Internal error", said, "internal-error", reference=reference)
