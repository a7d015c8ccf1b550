"""Steering a task: start, approve, reply, interrupt, end its input, stop."""

from __future__ import annotations

from flask import Response

from shared import followups, tasks
from shared.agents import adoption, trust
from shared.commands import CommandKind
from shared.errors import BadRequest
from shared.lifecycle import Status
from web import answers, effects, views
from web.api import results, schemas
from web.bodies import body_optional
from web.resource import Resource
from web.security import Authority, authority, require_within

api = Resource("steering", __name__, abp_responses={200: results.Task, 202: results.Task})


@api.post("/tasks/<id>/start")
@authority(Authority.CLIENT)
@body_optional
def start(path: schemas.ById, body: schemas.Start) -> Response:
    """A new attempt: `running` with 200, or `queued` with 202."""
    task = tasks.get(path.id)
    require_within(task)
    if body.repository_settings == "ignore":
        trust.ignore(task)
        task = tasks.get(task.id)
    resume = bool(body.resume) or adoption.is_adopted(task)
    return effects.started(task, effects.request_start(task, resume=resume))


@api.post("/tasks/<id>/approve")
@authority(Authority.OWNER)
def approve(path: schemas.ById, body: schemas.Approve) -> Response:
    """Open the start gate, and start unless told otherwise."""
    task = tasks.approve(tasks.get(path.id), body.note, body.policy_hash)
    if body.start is False:
        return answers.task(task)
    return effects.started(task, effects.request_start(task, resume=adoption.is_adopted(task)))


@api.post("/tasks/<id>/reply")
@authority(Authority.CLIENT)
def reply(path: schemas.ById, body: schemas.Reply) -> Response:
    """Text for the live agent; after its end its session is resumed with it."""
    if not body.message.strip():
        raise BadRequest("A reply needs a message.")
    task = tasks.get(path.id)
    require_within(task)
    return effects.replied(task, tasks.request_reply(task, body.message, body.mode))


@api.get("/tasks/<id>/replies", responses={200: results.Listed[results.Reply]})
@authority(Authority.CLIENT)
def replies(path: schemas.ById) -> Response:
    """The task's newest replies, oldest first: queued, delivered, answered, failed or withdrawn."""
    return answers.value([views.followup(row) for row in followups.of(tasks.get(path.id))])


@api.delete("/tasks/<id>/replies/<reply_id>", responses={200: results.Reply})
@authority(Authority.CLIENT)
def withdraw(path: schemas.ByReply) -> Response:
    """Take back a reply that has not gone out; 409 once the agent has it."""
    return answers.value(views.followup(followups.withdraw(tasks.get(path.id), path.reply_id)))


@api.post("/tasks/<id>/interrupt")
@authority(Authority.CLIENT)
@body_optional
def interrupt(path: schemas.ById, body: schemas.NothingNeeded) -> Response:
    """End the agent's turn; the attempt lives on."""
    task = tasks.get(path.id)
    return effects.applied(task, tasks.request_steering(task, CommandKind.INTERRUPT), None)


@api.post("/tasks/<id>/mode")
@authority(Authority.OWNER)
def set_mode(path: schemas.ById, body: schemas.Mode) -> Response:
    """Have the live agent plan first, or work again; 409 where it cannot change that while it runs."""
    task = tasks.get(path.id)
    return effects.applied(task, tasks.request_steering(task, CommandKind.MODE, mode=body.mode), None)


@api.post("/tasks/<id>/input/close")
@authority(Authority.CLIENT)
@body_optional
def close_input(path: schemas.ById, body: schemas.NothingNeeded) -> Response:
    """End of input for the agent."""
    task = tasks.get(path.id)
    return effects.applied(task, tasks.request_steering(task, CommandKind.CLOSE_INPUT), None)


@api.post("/tasks/<id>/stop")
@authority(Authority.CLIENT)
@body_optional
def stop(path: schemas.ById, body: schemas.NothingNeeded) -> Response:
    """Stop the task; a stopped one stays as it is."""
    task = tasks.get(path.id)
    command = tasks.request_stop(task)
    if command is None:
        return answers.task(tasks.get(task.id))
    return effects.applied(task, command, Status.STOPPED)
