"""The tool rules of a workspace: its tasks obey them behind their own, from their first start on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from flask import Flask, g, request
from werkzeug.wrappers import Response as BaseResponse

from shared import workspaces
from shared.errors import Conflict, WrongShape
from shared.policy import grants, tool_rules, trials
from shared.policy.tool_rules import Rule
from shared.secrets import kept
from shared.store.models import Workspace
from web.pages import forms, frame, policies
from web.security import Authority, authority

MOST_RULES = 200


def install(app: Flask) -> None:
    app.add_url_rule("/ui/workspaces/<id>/rules", "workspace_rules", page)
    app.add_url_rule("/ui/workspaces/<id>/rules/write", "workspace_rule_form", write, methods=["POST"])
    app.add_url_rule("/ui/workspaces/<id>/rules/remove", "remove_workspace_rule", remove, methods=["POST"])


@authority(Authority.PAGE)
def page(id: str) -> str:
    """The rules in their order, and a form for one more."""
    row = workspaces.get(id)
    return frame.page(
        "workspace_rules.html",
        workspace=row,
        rules=told(rules_of(row), "workspace rule"),
        trial=g.get("trial"),
        draft=g.get("rule_draft", {}),
        own_presets=own_presets(row),
        granted=row.defaults.get("env") or [],
        grantable=[secret.name for secret in kept.listed()],
    )


def own_presets(row: Workspace) -> list[tuple[str, str]]:
    """A workspace's own presets, each with what it means."""
    found = policies.choices(row.defaults, unasked=False)
    return [(name, hint) for name, (_, hint) in found.items() if name not in policies.BUILT_IN]


def rules_of(row: Workspace) -> list[dict[str, Any]]:
    return list(row.defaults.get("tool_rules") or [])


def told(rules: Sequence[Rule], kind: str = "") -> list[dict[str, Any]]:
    """Each rule with its name, if it has one by its place, and in words, and as the text by which it is removed."""
    named = tool_rules.named(rules, kind) if kind else [("", rule) for rule in rules]
    return [
        {"name": name, "words": tool_rules.told(rule), "rule": rule, "text": _text(rule)}
        for name, rule in named
    ]


def _text(rule: Rule) -> str:
    return json.dumps(dict(rule), sort_keys=True)


@forms.action("rule")
def write(id: str) -> Any:
    """Try a rule against what was asked before, or keep it."""
    row = workspaces.get(id)
    rule = grants.clean(request.form)
    if forms.field("act", 8) == "try":
        g.rule_draft = rule
        g.trial = trials.of_rule(rule, row.path)
        return page(id)
    rules = rules_of(row)
    if len(rules) >= MOST_RULES:
        raise WrongShape(f"A workspace may have {MOST_RULES} rules; remove one first.", field="tool_rules")
    workspaces.change(id, {"tool_rules": [*rules, rule]})
    return forms.leave(f"/ui/workspaces/{id}/rules")


@forms.action("rule")
def remove(id: str) -> BaseResponse:
    row = workspaces.get(id)
    rules, text = rules_of(row), forms.field("rule", 8_192)
    gone = next((rule for rule in rules if _text(rule) == text), None)
    if gone is None:
        raise Conflict("The rule is not there any more.")
    rules.remove(gone)
    workspaces.change(id, {"tool_rules": rules or None})
    return forms.leave(f"/ui/workspaces/{id}/rules")
