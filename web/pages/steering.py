"""What a person does with a task from a page: start, stop, approve, reply, interrupt."""

from __future__ import annotations

from flask import Flask
from werkzeug.wrappers import Response as BaseResponse

from shared import followups, tasks
from shared.agents import adoption
from shared.commands import CommandKind
from shared.errors import BadRequest
from shared.store.models import Command, Task
from web import effects
from web.api import schemas
from web.pages import board, forms

NOTE = 10_000


def _of_task(id: str, **_: str) -> str:
    """The scope of a task's forms: a refusal is shown on its card."""
    return f"task:{id}"


def install(app: Flask) -> None:
    for verb, view in (
        ("start", start),
        ("stop", stop),
        ("approve", approve),
        ("reply", reply),
        ("interrupt", interrupt),
    ):
        app.add_url_rule(f"/ui/tasks/<id>/{verb}", f"{verb}_form", view, methods=["POST"])
    withdrawal = "/ui/tasks/<id>/replies/<reply_id>/withdraw"
    app.add_url_rule(withdrawal, "withdraw_form", withdraw, methods=["POST"])


@forms.action(_of_task)
def start(id: str) -> BaseResponse:
    """Start, or with `resume` go on with the agent's session."""
    task = tasks.get(id)
    attempt = effects.request_start(task, resume=forms.field("resume", 8) == "1" or adoption.is_adopted(task))
    effects.left_queue(attempt)
    return _shown(task)


@forms.action(_of_task)
def stop(id: str) -> BaseResponse:
    task = tasks.get(id)
    command = tasks.request_stop(task)
    return _shown(task, command)


@forms.action(_of_task)
def approve(id: str) -> BaseResponse:
    """Open the start gate and start."""
    seen = forms.field("policy_hash", 64) or None
    task = tasks.approve(tasks.get(id), forms.field("note", NOTE) or None, seen)
    effects.left_queue(effects.request_start(task, resume=adoption.is_adopted(task)))
    return _shown(task)


@forms.action(_of_task)
def reply(id: str) -> BaseResponse:
    message = forms.field("message", schemas.PROMPT_BYTES)
    if not message:
        raise BadRequest("Write an answer first.")
    task = tasks.get(id)
    accepted = tasks.request_reply(task, message, forms.field("mode", 16) or None)
    command = accepted if isinstance(accepted, Command) and accepted.body.get("mode") != "queue" else None
    return _shown(task, command)


@forms.action(_of_task)
def withdraw(id: str, reply_id: str) -> BaseResponse:
    """Take back a reply that has not gone out."""
    task = tasks.get(id)
    followups.withdraw(task, reply_id)
    return _shown(task)


@forms.action(_of_task)
def interrupt(id: str) -> BaseResponse:
    task = tasks.get(id)
    return _shown(task, tasks.request_steering(task, CommandKind.INTERRUPT))


def _shown(task: Task, command: Command | None = None) -> BaseResponse:
    """The card after the effect, or after two seconds; a refusal of the worker is raised."""
    if command is not None:
        effects.carried_out(command, effects.STEER_SECONDS)
    return forms.done(lambda: board.card_text(tasks.get(task.id)))
