"""What a rule would have decided: the requests a workspace has seen, held against a rule before it is kept."""

from __future__ import annotations

from dataclasses import dataclass

from shared.policy import grants, tool_rules
from shared.policy.tool_rules import FOR_A_PERSON, Decision, Rule
from shared.store.models import INSERTED, Approval, Task

#: How far back a trial looks, in requests.
LOOKED_BACK = 1000
DONE = {"allow": "allowed", "deny": "denied", "ask": "asked about"}


@dataclass(frozen=True)
class Trial:
    """Of `calls` requests the rule matches `matched`; of these a person decided `against` the other way."""

    action: str
    calls: int
    matched: int
    against: int

    def __str__(self) -> str:
        if not self.calls:
            return "No agent has asked for anything here yet."
        counted = "the only request" if self.calls == 1 else f"the last {self.calls:,} requests"
        said = f"Would have {DONE[self.action]} {self.matched:,} of {counted}"
        if self.action == "ask" or not self.matched:
            return f"{said}."
        other = "denied" if self.action == "allow" else "allowed"
        return f"{said}, {self.against:,} of which you {other}."


def of_rule(rule: Rule, workspace: str) -> Trial:
    """Hold a rule against the latest requests of a workspace's tasks, those that rules decided included."""
    here = Task.select(Task.number).where(Task.workspace == workspace)
    rows = Approval.select().where(Approval.task.in_(here))
    asked = [row for row in rows.order_by(INSERTED.desc()).limit(LOOKED_BACK) if _is_call(row)]
    matched = [row for row in asked if _decides(rule, row)]
    other = "denied" if rule["action"] == "allow" else "allowed"
    against = sum(row.status == other and row.decided_by == "owner" for row in matched)
    return Trial(str(rule["action"]), len(asked), len(matched), against)


def _is_call(row: Approval) -> bool:
    return not row.choices and row.tool not in FOR_A_PERSON


def _decides(rule: Rule, row: Approval) -> bool:
    otherwise = Decision("ask" if rule["action"] == "allow" else "allow", "")
    found = tool_rules.decide(grants.call_of(row), tool_rules.named([rule]), otherwise)
    return found.action == rule["action"]
