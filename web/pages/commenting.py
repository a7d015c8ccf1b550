"""Comments on lines, from the changes page: drafts, deleting them, and sending them to the agent."""

from __future__ import annotations

import re

from flask import Flask
from pydantic import ValidationError
from werkzeug.wrappers import Response as BaseResponse

from shared import tasks
from shared.errors import BadRequest, NotFound
from shared.review import comments, marks
from shared.review.comments import Side
from shared.store.models import Command
from web import effects, problems, quoting
from web.api import schemas
from web.pages import captures, forms
from web.security import credential

#: `12`, or `12-15`.
LINES = re.compile(r"(\d{1,9})(?:\s*[-–]\s*(\d{1,9}))?")


def install(app: Flask) -> None:
    app.add_url_rule("/ui/tasks/<id>/comments", "comment_form", add, methods=["POST"])
    app.add_url_rule("/ui/tasks/<id>/comments/delete", "delete_comment_form", delete, methods=["POST"])
    act = "/ui/tasks/<id>/comments/<comment_id>"
    app.add_url_rule(f"{act}/edit", "edit_comment_form", edit, methods=["POST"])
    app.add_url_rule(f"{act}/resolve", "resolve_comment_form", resolve, methods=["POST"])
    app.add_url_rule("/ui/tasks/<id>/comments/send", "send_comments_form", send, methods=["POST"])


@forms.action(lambda id: f"comment:{id}")
def add(id: str) -> BaseResponse:
    """Keep a draft about lines of the capture that is on the page."""
    task = tasks.get(id)
    row = captures.latest(task, forms.field("capture", 64))
    if row is None:
        raise NotFound("The task has no such capture.")
    key = forms.field("file", 64)
    file = captures.with_key(row.files, key)
    lines = LINES.fullmatch(forms.field("lines", 32))
    if lines is None:
        raise BadRequest("Write the lines as a number, or as two: 12-15.")
    first = int(lines[1])
    given = {"path": marks.name_of(file), "line": first, "last_line": int(lines[2] or first)}
    try:
        wished = schemas.NewComment.model_validate(
            {
                **given,
                "side": forms.field("side", 8) or None,
                "body": forms.field("body", 16_384).replace("\r\n", "\n"),
            }
        )
    except ValidationError as error:
        raise problems.shape(error) from None
    side, last = Side(wished.side or Side.NEW), wished.last_line or first
    made = quoting.add(task, row, file, side, (first, last), wished.body)
    return forms.leave(f"/ui/tasks/{id}/changes#c-{made.id}")


@forms.action(lambda id, comment_id: f"comment:{comment_id}")
def edit(id: str, comment_id: str) -> BaseResponse:
    """Say something else in a draft."""
    said = forms.body(schemas.CommentChange, body=forms.field("body", 16_384))
    comments.edit(tasks.get(id), comment_id, said["body"])
    return forms.leave(f"{forms.back()}#c-{comment_id}")


@forms.action(lambda id, comment_id: f"comment:{comment_id}")
def resolve(id: str, comment_id: str) -> BaseResponse:
    """Take a sent comment for addressed, or leave that to its lines again."""
    by = credential().actor if forms.field("resolved", 4) == "1" else None
    comments.resolve(tasks.get(id), comment_id, by)
    return forms.leave(f"{forms.back()}#c-{comment_id}")


@forms.action(lambda id: f"comments:{id}")
def delete(id: str) -> BaseResponse:
    comments.remove(tasks.get(id), forms.field("comment", 64))
    return forms.leave(forms.back())


@forms.action(lambda id: f"comments:{id}")
def send(id: str) -> BaseResponse:
    """Every draft to the agent, and on to the timeline where it answers."""
    task = tasks.get(id)
    accepted = comments.send(task, quoting.outdated_drafts(task))
    if isinstance(accepted, Command) and accepted.body.get("mode") != "queue":
        effects.carried_out(accepted, effects.STEER_SECONDS)
    return forms.leave(f"/ui/tasks/{id}")
