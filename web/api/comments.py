"""Comments on lines of a task's changes."""

from __future__ import annotations

from flask import Response

from shared import tasks
from shared.errors import NotFound
from shared.review import comments, landings, marks
from shared.review.comments import Side
from shared.store.models import Comment, Task
from web import answers, effects, quoting
from web.api import results, schemas
from web.resource import Resource
from web.security import Authority, authority, credential, require_within

api = Resource("comments", __name__)


@api.get("/tasks/<id>/comments", responses={200: results.Listed[results.Comment]})
@authority(Authority.CLIENT)
def listed(path: schemas.ById) -> Response:
    """Every comment, oldest first; `outdated` when its lines have changed since."""
    return _all(tasks.get(path.id))


@api.post("/tasks/<id>/comments", responses={200: results.Comment})
@authority(Authority.CLIENT)
def add(path: schemas.ById, body: schemas.NewComment) -> Response:
    """A draft about lines of the latest capture; it waits until the drafts are sent."""
    task = tasks.get(path.id)
    require_within(task)
    row = landings.latest_capture(task)
    if row is None:
        raise NotFound("This file is not among the task's changes.")
    file, side = marks.named(row.files, body.path), Side(body.side or Side.NEW)
    made = quoting.add(task, row, file, side, (body.line, body.last_line or body.line), body.body)
    return answers.value(quoting.view(quoting.Shown(made, made.first_line)))


@api.patch("/tasks/<id>/comments/<comment_id>", responses={200: results.Comment})
@authority(Authority.CLIENT)
def edit(path: schemas.ByComment, body: schemas.CommentChange) -> Response:
    """Say something else in a draft; 409 for a comment that was sent."""
    task = tasks.get(path.id)
    require_within(task)
    return _one(task, comments.edit(task, path.comment_id, body.body))


@api.post("/tasks/<id>/comments/<comment_id>/resolve", responses={200: results.Comment})
@authority(Authority.OWNER)
def resolve(path: schemas.ByComment, body: schemas.Resolved) -> Response:
    """Take a sent comment for addressed, whatever its lines read, or leave that to its lines again."""
    task = tasks.get(path.id)
    by = credential().actor if body.resolved else None
    return _one(task, comments.resolve(task, path.comment_id, by))


@api.delete("/tasks/<id>/comments/<comment_id>", responses={200: results.Listed[results.Comment]})
@authority(Authority.CLIENT)
def remove(path: schemas.ByComment) -> Response:
    """Delete a comment; answers those that are left."""
    task = tasks.get(path.id)
    require_within(task)
    comments.remove(task, path.comment_id)
    return _all(task)


@api.post("/tasks/<id>/comments/send", responses={200: results.Task, 202: results.Task})
@authority(Authority.CLIENT)
def send(path: schemas.ById) -> Response:
    """Every draft to the agent as one reply."""
    task = tasks.get(path.id)
    require_within(task)
    return effects.replied(task, comments.send(task, quoting.outdated_drafts(task)))


def _all(task: Task) -> Response:
    return answers.value([quoting.view(one) for one in quoting.of(task, landings.latest_capture(task))])


def _one(task: Task, comment: Comment) -> Response:
    known = quoting.of(task, landings.latest_capture(task))
    return answers.value(next(quoting.view(one) for one in known if one.comment.id == comment.id))
