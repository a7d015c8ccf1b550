"""The runners and what is missing for them."""

from __future__ import annotations

from flask import Response

from shared import fleet
from web import answers
from web.api import results, schemas
from web.resource import Resource
from web.security import Authority, authority

api = Resource("runners", __name__)


@api.get("/runners", responses={200: results.Listed[results.Runner]})
@authority(Authority.CLIENT)
def runners(query: schemas.Page) -> Response:
    """codex, claude-code and shell, then third-party runners by name."""
    return answers.part(
        [
            {
                "runner": state.name,
                "available": state.available,
                "command": state.command,
                "version": state.version,
                "detail": state.detail,
                "capabilities": dict(state.capabilities or {}),
            }
            for state in fleet.runners()
        ],
        query,
    )
