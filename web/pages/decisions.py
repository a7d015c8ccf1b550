"""A person's answers to what an agent asks for: allow, deny, edit, answer, and the rules of one task."""

from __future__ import annotations

from typing import Any

from flask import Flask, g, request
from werkzeug.wrappers import Response as BaseResponse

from shared import approvals, tasks
from shared.errors import BadRequest, NotFound
from shared.policy import grants, trials
from shared.store.models import Approval, Task
from web.pages import board, forms, requests, task

NOTE = 10_000
WORDS, MOST_CHOICES = 10_000, 20


def install(app: Flask) -> None:
    path = "/ui/tasks/<id>/approvals/<request_id>"
    app.add_url_rule(path, "decide_form", decide, methods=["POST"])
    app.add_url_rule(f"{path}/answer", "answer_form", answer, methods=["POST"])
    app.add_url_rule("/ui/tasks/<id>/rules", "task_rule_form", write_rule, methods=["POST"])
    app.add_url_rule(
        "/ui/tasks/<id>/rules/<rule_id>/remove", "remove_task_rule", remove_rule, methods=["POST"]
    )


def _of_task(id: str, **_: str) -> str:
    """The scope of a task's forms: a refusal is shown on its card."""
    return f"task:{id}"


@forms.action(_of_task)
def decide(id: str, request_id: str) -> BaseResponse:
    """Allow or deny what the agent asks for, as it asked or as it was edited."""
    found = tasks.get(id)
    row = _request(found, request_id)
    scope = "task" if forms.field("scope", 8) == "task" else "once"
    note = forms.field("note", NOTE) or None
    decision = forms.field("decision", 8)
    edited = _edited(found, row) if decision == "allow" else None
    approvals.decide(found, row.id, decision, scope=scope, note=note, updated_input=edited)
    return _shown(found)


def _edited(found: Task, row: Approval) -> dict[str, str] | None:
    """The texts that were changed; a browser sends every line's end as CR LF."""
    changed = {}
    for field in requests.fields(found, row):
        given = request.form.get(f"edit:{field.name}")
        if given is None or field.problem is not None:
            continue
        if len(given) > 2 * requests.MOST_EDITED or "\0" in given:
            raise BadRequest(f"The {field.name} is too long, or holds a NUL character.")
        if (text := given.replace("\r\n", "\n")) != field.text:
            changed[field.name] = text
    return changed or None


@forms.action(_of_task)
def answer(id: str, request_id: str) -> BaseResponse:
    """An agent's questions, answered by choosing or in words."""
    found = tasks.get(id)
    row = _request(found, request_id)
    if not row.choices:
        raise BadRequest("This request asks no question; allow or deny it.")
    answers = {}
    for number, asked in enumerate(row.choices):
        words = forms.field(f"other{number}", WORDS)
        chosen = [text for text in request.form.getlist(f"choice{number}") if text][:MOST_CHOICES]
        if not words and not chosen:
            raise BadRequest("Answer every question, by choosing or in your own words.")
        answers[str(asked.get("question", ""))] = ", ".join([*chosen, *([words] if words else [])])
    approvals.decide(found, row.id, "allow", updated_input={"answers": answers})
    return _shown(found)


def _request(found: Task, request_id: str) -> Approval:
    row = Approval.get_or_none(Approval.id == request_id, Approval.task == found.number)
    if row is None:
        raise NotFound("The task has no such approval request.")
    return row


def _shown(found: Task) -> BaseResponse:
    return forms.done(lambda: board.card_text(tasks.get(found.id)))


@forms.action("rule")
def write_rule(id: str) -> Any:
    """Try a rule against what was asked before, or keep it for this task."""
    found = tasks.get(id)
    rule = grants.clean(request.form)
    if forms.field("act", 8) == "try":
        g.rule_draft = rule
        g.trial = trials.of_rule(rule, found.workspace)
        return task.policy(id)
    approvals.grant(found, rule)
    return forms.leave(f"/ui/tasks/{id}/policy#rules")


@forms.action("rule")
def remove_rule(id: str, rule_id: str) -> BaseResponse:
    grants.remove(tasks.get(id), rule_id)
    return forms.leave(f"/ui/tasks/{id}/policy#rules")
