"""What an agent asks for, as pages show it: a call to allow, a plan to approve, questions to answer."""

from __future__ import annotations

import glob
import json
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from shared import approvals
from shared.policy import grants
from shared.policy.tool_rules import Rule
from shared.secrets.redaction import MASK
from shared.store.models import Approval, Task
from web.rendering.markdown import prose
from web.rendering.marks import is_hidden

#: A question with more options than this is answered on the task's page.
QUICK = 4
#: Longer inputs are not edited in a form.
MOST_EDITED = 64 * 1024
SHOWN = 60


@dataclass(frozen=True)
class Field:
    """One text of an input; `problem` says why it cannot be edited."""

    name: str
    text: str
    problem: str | None = None


@dataclass(frozen=True)
class Asked:
    """A request: `kind` is call, plan or questions; `grant` what "for this task" would allow, in words."""

    row: Approval
    kind: str
    text: str
    plan: Markup | None
    fields: list[Field]
    grant: str | None

    @property
    def quick(self) -> dict[str, Any] | None:
        """The only question, if a button for each of its few options answers it."""
        asked = self.row.choices[0] if len(self.row.choices) == 1 else {}
        options = asked.get("options") or []
        return asked if 1 <= len(options) <= QUICK and not asked.get("multiSelect") else None

    @property
    def can_edit(self) -> bool:
        return any(field.problem is None for field in self.fields)


def asked(task: Task, row: Approval) -> Asked:
    plan = (row.input or {}).get("plan") if row.tool == "ExitPlanMode" else None
    kind = "questions" if row.choices else "plan" if plan else "call"
    rule = grants.suggestion(row) if kind == "call" else None
    return Asked(
        row,
        kind,
        text_of(row),
        prose(str(plan)) if plan else None,
        fields(task, row) if kind == "call" else [],
        granted(row, rule) if rule else None,
    )


def text_of(row: Approval) -> str:
    """The exact command, or every value of the tool's input; nothing is left out."""
    if row.command:
        return str(row.command)
    return "\n".join(_value(name, value) for name, value in (row.input or {}).items())


def _value(name: str, value: Any) -> str:
    if name == "changes" and isinstance(value, list) and all(isinstance(item, dict) for item in value):
        return "\n".join(f"{item.get('path')}\n{item.get('diff') or ''}" for item in value)
    return f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)}"


def fields(task: Task, row: Approval) -> list[Field]:
    """The texts of an input that a person may change before it runs."""
    if not approvals.can_edit(task):
        return []
    texts = [(name, value) for name, value in (row.input or {}).items() if isinstance(value, str)]
    return [Field(name, value, _why_not(value)) for name, value in texts]


def _why_not(text: str) -> str | None:
    if MASK in text:
        return "A secret in it was masked, so it cannot be edited here."
    if len(text) > MOST_EDITED:
        return "It is too long to be edited here."
    if any(is_hidden(mark) and mark not in "\n\t" for mark in text):
        return "It holds characters that cannot be seen, so it cannot be edited here."
    return None


def granted(row: Approval, rule: Rule) -> str:
    """`npm test*`, edits in src/**, this very command: what a click on "for this task" allows."""
    if pattern := str(rule.get("pattern") or ""):
        is_exact = glob.escape(row.command or "").strip() == pattern
        return "this exact command" if is_exact or len(pattern) > SHOWN else f"“{pattern}”"
    tool = "edits" if rule["tool"] == "edit" else str(rule["tool"])
    path = str(rule.get("path") or "")
    return f"{tool} in {path}" if path else tool
