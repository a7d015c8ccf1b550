"""An agent's questions and their answers."""

from __future__ import annotations

from flask import Response
from flask_openapi import APIBlueprint

from shared import approvals, tasks
from web import answers, views
from web.api import results, schemas
from web.security import Authority, authority

api = APIBlueprint("approvals", __name__)


@api.get("/tasks/<id>/approvals", responses={200: results.Approval})
@authority(Authority.OWNER)
def list_approvals(path: schemas.ById, query: schemas.ApprovalList) -> Response:
    """A task's requests, oldest first."""
    task = tasks.get(path.id)
    rows = approvals.of(task, query.status)
    return answers.part([views.approval(row, task.id) for row in rows], query)


@api.post("/tasks/<id>/approvals/<request_id>", responses={200: results.Approval})
@authority(Authority.OWNER)
def decide(path: schemas.ByRequest, body: schemas.Decision) -> Response:
    """Answer one request; the first answer counts, later ones are 409."""
    task = tasks.get(path.id)
    row = approvals.decide(
        task,
        path.request_id,
        body.decision,
        scope=body.scope or "once",
        note=body.note,
        updated_input=body.updated_input,
    )
    return answers.value(views.approval(row, task.id))
