"""What a task may begin with, to choose from; and a task's policy kept as a preset, or changed before it is frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask, request
from werkzeug.wrappers import Response as BaseResponse

from shared import amending, tasks, workspaces
from shared.errors import BadRequest
from shared.policy import PRESETS, Finding, findings, presets
from shared.store.models import Task
from web.pages import forms, frame, words
from web.pages.task_details import in_words
from web.security import Authority, authority
from web.services import services

NAME = 40
BUILT_IN = {
    "default": ("Default", "Own worktree, no network, no secrets. Asks first where nothing contains it."),
    "auto-review": ("Ask to start", "As Default, and waits for your approval before it starts."),
    "full-access": (
        "Full access",
        "Own worktree, but nothing is contained: network, secrets, your whole account.",
    ),
}
Choices = dict[str, tuple[str, str]]


def install(app: Flask) -> None:
    app.jinja_env.filters["policy_hash"] = lambda task: tasks.policy_of(task).digest()
    app.add_url_rule("/ui/presets", "preset_choices", choose)
    app.add_url_rule("/ui/tasks/<id>/policy/change", "change_policy", change, methods=["POST"])
    app.add_url_rule("/ui/tasks/<id>/policy/keep", "keep_preset", keep, methods=["POST"])
    app.add_url_rule("/ui/workspaces/<id>/presets/remove", "remove_preset", remove, methods=["POST"])


def choices(defaults: Mapping[str, Any], *, unasked: bool) -> Choices:
    """Presets by name, each with its label and what it means; `unasked` adds what the workspace begins with itself."""
    found: Choices = {}
    if unasked and defaults.get("policy"):
        start = presets.base(defaults, None)
        found[""] = ("The workspace’s", _told(presets.differences(start, presets.of(defaults)["default"])))
    found |= BUILT_IN
    for name, own in presets.of(defaults).items():
        if name not in BUILT_IN:
            found[name] = (name, _told(presets.differences(own, PRESETS["default"])))
    return found


def chosen(defaults: Mapping[str, Any]) -> str:
    """The choice that stands at first."""
    return "" if defaults.get("policy") else presets.default_name(defaults)


def _told(differences: Mapping[str, Any]) -> str:
    said = "; ".join(f"{name.replace('_', ' ')} {in_words(value)}" for name, value in differences.items())
    return f"As Default, but {said}." if said else "The same as Default."


@authority(Authority.PAGE)
def choose() -> str:
    """The choice of presets for `?workspace=`."""
    defaults = workspaces.defaults_for(request.args.get("workspace", "")[:4096])
    return frame.page("parts/presets.html", presets=choices(defaults, unasked=True), preset=chosen(defaults))


@dataclass(frozen=True)
class Standing:
    """Where a task's policy comes from: the preset nearest to it, and in what it differs."""

    hash: str
    nearest: str
    differences: list[tuple[str, str]]
    findings: list[Finding]
    choices: Choices


def standing(task: Task) -> Standing:
    wanted = tasks.policy_of(task)
    defaults = workspaces.defaults_for(task.workspace)
    name, differences = presets.nearest(wanted, defaults)
    goal = "" if task.runner == "shell" else task.prompt
    return Standing(
        hash=wanted.digest(),
        nearest=BUILT_IN.get(name, (name,))[0],
        differences=[(words.field(field).lower(), in_words(value)) for field, value in differences.items()],
        findings=findings.in_words(wanted, goal),
        choices=choices(defaults, unasked=False),
    )


@forms.action("policy")
def change(id: str) -> BaseResponse:
    """Another preset, as long as the policy is not frozen."""
    amending.amend(tasks.get(id), preset=forms.field("preset", NAME))
    return forms.leave(f"/ui/tasks/{id}/policy")


@forms.action("preset")
def keep(id: str) -> BaseResponse:
    """The task's policy as a preset of its workspace."""
    task, name = tasks.get(id), forms.field("name", NAME)
    if not name:
        raise BadRequest("Write a name for the preset.")
    wanted = tasks.policy_of(task)
    row = workspaces.register(task.workspace, services().home)
    kept = presets.differences(wanted, PRESETS["default"])
    kept.pop("tool_rules", None)
    own = [dict(rule) for rule in wanted.tool_rules if rule.get("origin") != "workspace"]
    workspaces.change(row.id, {"presets": {name: {**kept, **({"tool_rules": own} if own else {})}}})
    return forms.leave(f"/ui/workspaces/{row.id}/rules#presets")


@forms.action("preset")
def remove(id: str) -> BaseResponse:
    workspaces.change(id, {"presets": {forms.field("name", NAME): None}})
    return forms.leave(f"/ui/workspaces/{id}/rules#presets")
