"""One task: its timeline with everything around it, its policy, its attempts."""

from __future__ import annotations

from flask import Flask, g, request
from werkzeug.wrappers import Response as BaseResponse

from shared import tasks
from shared.commands import CommandKind
from shared.network import host_grants
from shared.policy import grants
from shared.secrets import keeping
from shared.store.models import Attempt
from web import effects
from web.pages import forms, frame, policies, task_details, timeline
from web.pages.rules import told
from web.reading import snapshot
from web.security import Authority, authority

MOST_ATTEMPTS = 200


def install(app: Flask) -> None:
    app.add_url_rule("/ui/tasks/<id>", "task_page", page)
    app.add_url_rule("/ui/tasks/<id>/state", "task_state", state_partial)
    app.add_url_rule("/ui/tasks/<id>/siblings", "task_siblings", siblings_partial)
    app.add_url_rule("/ui/tasks/<id>/policy", "task_policy", policy)
    app.add_url_rule("/ui/tasks/<id>/attempts", "task_attempts", attempts)
    app.add_url_rule("/ui/tasks/<id>/input/close", "close_input_form", close_input, methods=["POST"])


@authority(Authority.PAGE)
def page(id: str) -> str:
    """The timeline."""
    with snapshot():
        task = tasks.get(id)
        wanted = timeline.Filter.asked()
        return frame.page(
            "task/timeline.html",
            tab="timeline",
            window=timeline.window(task, wanted),
            wanted=wanted,
            siblings=task_details.siblings(task),
            **task_details.frame(task),
        )


@authority(Authority.PAGE)
def state_partial(id: str) -> str:
    """Header, details, what is pinned and the reply box, as they are now."""
    with snapshot():
        task = tasks.get(id)
        return frame.page(
            "task/state.html", tab=request.args.get("tab", "timeline"), **task_details.frame(task)
        )


@authority(Authority.PAGE)
def siblings_partial(id: str) -> str:
    """The list of tasks around this one."""
    with snapshot():
        task = tasks.get(id)
        return frame.page("task/siblings.html", task=task, siblings=task_details.siblings(task))


@authority(Authority.PAGE)
def policy(id: str) -> str:
    """The effective policy: what of it holds on this host, and why."""
    with snapshot():
        task = tasks.get(id)
        return frame.page(
            "task/policy.html",
            tab="policy",
            rules=task_details.rules(task),
            standing=policies.standing(task),
            asked=host_grants.asked(task),
            opened=host_grants.of(task.number),
            granted=told(grants.of(task.number)),
            given=keeping.granted_names(task),
            ruled=told(tasks.policy_of(task).tool_rules, "task rule"),
            trial=g.get("trial"),
            draft=g.get("rule_draft", {}),
            **task_details.frame(task),
        )


@authority(Authority.PAGE)
def attempts(id: str) -> str:
    """Every attempt: when, how long, how it ended."""
    with snapshot():
        task = tasks.get(id)
        query = Attempt.select().where(Attempt.task == task.number)
        rows = list(query.order_by(Attempt.attempt_number.desc()).limit(MOST_ATTEMPTS))
        return frame.page("task/attempts.html", tab="attempts", attempts=rows, **task_details.frame(task))


@forms.action(lambda id: f"task:{id}")
def close_input(id: str) -> BaseResponse:
    """The program's input ends here."""
    command = tasks.request_steering(tasks.get(id), CommandKind.CLOSE_INPUT)
    effects.carried_out(command, effects.STEER_SECONDS)
    return forms.done(lambda: "", to=f"/ui/tasks/{id}")
