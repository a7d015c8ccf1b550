"""Trust in what a workspace's repository configures for agents: listed, given by a person, taken back."""

from __future__ import annotations

from typing import Any

from flask import Response

from shared.agents import trust
from shared.clock import rfc3339
from shared.store.models import AgentFile
from web import answers
from web.api import results, schemas
from web.resource import Resource
from web.security import Authority, authority

api = Resource("trust", __name__)


@api.get("/workspaces/<id>/trust", responses={200: results.Listed[results.AgentFile]})
@authority(Authority.CLIENT)
def show(path: schemas.ByWorkspace) -> Response:
    """Every file that workers found, the newest content of each first, and which are trusted."""
    return answers.value([_view(row) for row in trust.in_workspace(path.id)])


@api.post("/workspaces/<id>/trust", responses={200: results.Listed[results.AgentFile]})
@authority(Authority.OWNER)
def give(path: schemas.ByWorkspace, body: schemas.Trust) -> Response:
    """Trust these files with this content: all of them, or none."""
    rows = trust.trust(path.id, [file.model_dump() for file in body.files])
    return answers.value([_view(row) for row in rows])


@api.delete("/workspaces/<id>/trust", responses={204: None})
@authority(Authority.OWNER)
def take_back(path: schemas.ByWorkspace) -> Response:
    """Trust nothing in this workspace any more."""
    trust.distrust(path.id)
    return Response(status=204)


def _view(row: AgentFile) -> dict[str, Any]:
    return {
        "path": row.path,
        "runner": row.runner,
        "digest": row.digest,
        "size_bytes": row.size_bytes,
        "content": row.content,
        "problem": row.problem,
        "found_at": rfc3339(row.found_at),
        "trusted_at": rfc3339(row.trusted_at),
    }
