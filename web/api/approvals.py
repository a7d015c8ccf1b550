"""An agent's questions and their answers."""

from __future__ import annotations

from flask import Response

from shared import approvals, tasks
from shared.policy import grants
from web import answers, views
from web.api import results, schemas
from web.resource import Resource
from web.security import Authority, authority

api = Resource("approvals", __name__)


@api.get("/tasks/<id>/approvals", responses={200: results.Listed[results.Approval]})
@authority(Authority.CLIENT)
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


@api.get("/tasks/<id>/rules", responses={200: results.Listed[results.Rule]})
@authority(Authority.CLIENT)
def list_rules(path: schemas.ById, query: schemas.Page) -> Response:
    """The task's own rules, which stand before its policy's: what was allowed for this task."""
    return answers.part([dict(rule) for rule in grants.of(tasks.get(path.id).number)], query)


@api.post("/tasks/<id>/rules", responses={200: results.Rule})
@authority(Authority.OWNER)
def add_rule(path: schemas.ById, body: schemas.ToolRule) -> Response:
    """Decide the task's calls by one more rule, from now on and those that wait; it weakens no deny of the policy."""
    return answers.value(dict(approvals.grant(tasks.get(path.id), body.model_dump())))


@api.delete("/tasks/<id>/rules/<rule_id>", responses={204: None})
@authority(Authority.OWNER)
def remove_rule(path: schemas.ByRule) -> Response:
    """Take a rule back; what it decided stays decided."""
    grants.remove(tasks.get(path.id), path.rule_id)
    return Response(status=204)
