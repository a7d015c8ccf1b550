"""What a person granted for the rest of a task: tool rules that stand before its policy's own, live at once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from shared import audit, policy, timeline
from shared.audit import Act
from shared.clock import now
from shared.errors import Conflict, NotFound, WrongShape
from shared.events import Category, Draft, Kind
from shared.policy import tool_rules
from shared.policy.tool_rules import ACTIONS, Call, Decision, Rule
from shared.policy.tool_suggestions import suggest
from shared.secrets.redaction import MASK
from shared.store.database import raw, transaction
from shared.store.models import Approval, Task

MOST_RULES = 100
FIELDS = {"tool": 200, "pattern": 1000, "path": 1000, "action": 8, "reason": 1000}


def clean(given: Mapping[str, Any]) -> dict[str, str]:
    """A rule as a person wrote it, without empty fields; raises WrongShape that names the field."""
    rule = {name: str(given.get(name) or "").strip() for name in FIELDS}
    for name, text in rule.items():
        if len(text) > FIELDS[name]:
            raise WrongShape(f"A rule's {name} may have {FIELDS[name]:,} characters at most.", field=name)
        if "\0" in text:
            raise WrongShape("Text with a NUL character cannot be used.", field=name)
    if not rule["tool"]:
        raise WrongShape(
            "A rule names a tool, a family such as edit or Bash, or * for every tool.", field="tool"
        )
    if rule["action"] not in ACTIONS:
        raise WrongShape("A rule's action is allow, ask or deny.", field="action")
    return {name: text for name, text in rule.items() if text}


def of(task_number: int) -> Sequence[Rule]:
    """The rules of a task as they are now; none for one that is gone."""
    found = raw().execute("SELECT granted_rules FROM task WHERE number = ?", (task_number,)).fetchone()
    return list(json.loads(found[0])) if found else []


def add(task: Task, rule: Mapping[str, Any]) -> Rule:
    """Put a rule behind those granted before, once; inside the caller's transaction, or its own."""
    wanted = clean(rule)
    with transaction():
        rules = [dict(known) for known in of(task.number)]
        for known in rules:
            if {name: known[name] for name in FIELDS if name in known} == wanted:
                return known
        if len(rules) >= MOST_RULES:
            raise Conflict(f"A task may have {MOST_RULES} rules of its own; remove one first.")
        made = {"id": str(uuid4())[:8], **wanted}
        _keep(task, [*rules, made], f"Rule for this task: {tool_rules.told(made)}")
        audit.record(Act.GRANT_RULE, "task", task.id, **made)
        return made


def remove(task: Task, rule_id: str) -> None:
    """Take a rule back: what it would decide is asked again. Raises NotFound."""
    with transaction():
        rules = [dict(known) for known in of(task.number)]
        gone = next((known for known in rules if known.get("id") == rule_id), None)
        if gone is None:
            raise NotFound("The task has no such rule.")
        rules.remove(gone)
        _keep(task, rules, f"Rule taken back: {tool_rules.told(gone)}")
        audit.record(Act.REMOVE_RULE, "task", task.id, **gone)


def _keep(task: Task, rules: Sequence[Rule], said: str) -> None:
    Task.update(granted_rules=list(rules), updated_at=now()).where(Task.number == task.number).execute()
    timeline.append(task.number, [Draft(Kind.INPUT, said, {"category": Category.POLICY})])


def call_of(row: Approval, edited: Mapping[str, Any] | None = None) -> Call:
    """The call a request is about; with `edited` as the person changed it."""
    given = {**(row.input or {}), **(edited or {})}
    command = (
        given.get("command") if row.command is not None and edited and "command" in edited else row.command
    )
    return tool_rules.call_of(row.tool, given, command if command is None else str(command), row.cwd)


def suggestion(row: Approval, edited: Mapping[str, Any] | None = None) -> Rule | None:
    """The rule "Allow for this task" would grant; none for a question, or where a secret was masked."""
    if row.choices:
        return None
    call = call_of(row, edited)
    return None if MASK in repr(call) else suggest(call)


def decision(task: Task, row: Approval) -> Decision:
    """What the rules say of a request now, as if nothing contained the task: what is asked was not allowed by default."""
    if row.tool in tool_rules.FOR_A_PERSON or row.choices:
        return Decision("ask", "a question for a person")
    return policy.tool_decision(policy.in_force(task), call_of(row), contained=False, granted=of(task.number))
