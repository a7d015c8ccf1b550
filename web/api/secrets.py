"""Kept secrets: names and dates go out, values only come in."""

from __future__ import annotations

from typing import Any

from flask import Response

from shared.clock import rfc3339
from shared.secrets import keeping, kept
from shared.store.models import Secret
from web import answers
from web.api import results, schemas
from web.bodies import verbatim
from web.resource import Resource
from web.security import Authority, authority

api = Resource("secrets", __name__)


@api.get("/secrets", responses={200: results.Listed[results.Secret]})
@authority(Authority.OWNER)
def list_secrets(query: schemas.Page) -> Response:
    """Kept secrets by name; `readable` is false for one that was sealed with another key."""
    return answers.part([_view(row) for row in kept.listed()], query)


@api.post("/secrets", responses={200: results.Secret})
@authority(Authority.OWNER)
@verbatim
def keep(body: schemas.NewSecret) -> Response:
    """Keep a value under a name, in place of an earlier one."""
    return answers.value(_view(keeping.keep(body.name, body.value)))


@api.delete("/secrets/<name>", responses={204: None})
@authority(Authority.OWNER)
def remove(path: schemas.ByName) -> Response:
    """Forget a secret; what is granted it by name does not start any more."""
    keeping.remove(path.name)
    return Response(status=204)


def _view(row: Secret) -> dict[str, Any]:
    return {
        "name": row.name,
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
        "readable": row.name in kept.values(),
    }
