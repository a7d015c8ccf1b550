"""Tokens for programs: listed, minted and revoked by the owner."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Response

from shared.access import tokens
from shared.clock import parse, rfc3339
from shared.errors import BadRequest
from shared.store.models import ApiToken
from web import answers
from web.api import results, schemas
from web.bodies import body_optional
from web.resource import Resource
from web.security import Authority, authority

api = Resource("tokens", __name__)


@api.get("/tokens", responses={200: results.Listed[results.Token]})
@authority(Authority.OWNER)
def list_tokens(query: schemas.Page) -> Response:
    """Minted tokens, newest first, without their secrets."""
    return answers.part([_view(row) for row in tokens.listed()], query)


@api.post("/tokens", responses={200: results.NewToken})
@authority(Authority.OWNER)
@body_optional
def create(body: schemas.NewToken) -> Response:
    """A token for a program; its secret is in this answer and nowhere else. It lives 90 days unless told otherwise."""
    wished = "expires_at" in body.model_fields_set
    row, secret = tokens.mint(
        body.name or "", _instant(body.expires_at) if wished else tokens.default_expiry()
    )
    return answers.value({**_view(row), "token": secret})


@api.delete("/tokens/<id>", responses={204: None})
@authority(Authority.OWNER)
def revoke(path: schemas.ByToken) -> Response:
    """End a token at once; its live streams close within seconds."""
    tokens.revoke(path.id)
    return Response(status=204)


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return parse(text)
    except ValueError:
        raise BadRequest(f"{text[:40]!r} is no instant; write it as 2026-12-31T00:00:00Z.") from None


def _view(row: ApiToken) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "created_at": rfc3339(row.created_at),
        "expires_at": rfc3339(row.expires_at),
        "last_used_at": rfc3339(row.last_used_at),
        "expired": tokens.is_expired(row),
    }
