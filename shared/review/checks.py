"""Checks of a task's work: commands that judge the merged tree before it lands, and what came of them.

The `verify` command and any number of named checks (rubrics), from the task itself or its workspace's defaults. A check
passes by exit code 0; a JSON object in the last line of its output may say more: `{"pass": bool, "score": number, "note": text}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from shared import timeline, workspaces
from shared.clock import now, rfc3339
from shared.events import Category, Draft, Kind
from shared.store.database import transaction
from shared.store.models import CheckResult, Task

VERIFY = "verify"
DEFAULT_SECONDS = 600
MOST_SECONDS = 3600
MOST_CHECKS = 20
NOTE_CHARACTERS = 500


class Mode(StrEnum):
    """What a failing check means: `required` refuses the landing, `advisory` is shown, `off` is not run."""

    REQUIRED = "required"
    ADVISORY = "advisory"
    OFF = "off"


class Verdict(StrEnum):
    """How a check ended; `error`: it could not be run."""

    PASSED = "passed"
    FAILED = "failed"
    TIMED_OUT = "timed-out"
    ERROR = "error"


@dataclass(frozen=True)
class Check:
    name: str
    command: str
    mode: Mode
    seconds: float

    def run_id(self, task_id: str, tree_oid: str) -> str:
        """Names one run of this command on one tree: a worker that takes over finds it by that."""
        return str(uuid5(NAMESPACE_OID, "\0".join((task_id, tree_oid, self.name, self.command))))


def of(task: Task) -> list[Check]:
    """The checks that are not off: the workspace's, then the task's own, which add to them and never weaken them."""
    found: dict[str, Check] = {}
    for said in (workspaces.defaults_for(task.workspace), task.options):
        seconds = float(said.get("verify_seconds") or DEFAULT_SECONDS)
        if command := said.get("verify"):
            name = VERIFY if VERIFY not in found else f"{VERIFY}-task"
            found[name] = Check(name, command, Mode(said.get("verify_mode") or Mode.REQUIRED), seconds)
        for one in said.get("checks") or []:
            mode = Mode(one.get("mode") or Mode.ADVISORY)
            found.setdefault(one["name"], Check(one["name"], one["command"], mode, seconds))
    return [check for check in found.values() if check.mode is not Mode.OFF]


def result(task: Task, check: Check, tree_oid: str) -> CheckResult | None:
    """What came of a check on exactly this tree, by exactly this command."""
    return CheckResult.get_or_none(CheckResult.id == check.run_id(task.id, tree_oid))


def keep(task: Task, check: Check, tree_oid: str, verdict: Verdict, **said: Any) -> None:
    """Store a result in place of an earlier one, with its events; the task shows it from now on.

    `said` are `exit_code`, `score`, `note`, `millis` and `output`, which is bounded and redacted.
    """
    with transaction():
        id = check.run_id(task.id, tree_oid)
        CheckResult.delete().where(CheckResult.id == id).execute()
        row = CheckResult.create(
            id=id,
            task=task.number,
            tree_oid=tree_oid,
            name=check.name,
            command=check.command,
            verdict=verdict,
            finished_at=now(),
            **said,
        )
        shown = [one for one in Task.get_by_id(task.number).checks if one["name"] != check.name]
        Task.update(checks=[*shown, view(check, row)], updated_at=now()).where(
            Task.number == task.number
        ).execute()
        about = {"category": Category.CHECK, "check": check.name, "verdict": verdict, "tree_oid": tree_oid}
        drafts = [Draft(Kind.STDOUT, row.output, about)] if row.output else []
        kind = Kind.LIFECYCLE if verdict is Verdict.PASSED else Kind.ERROR
        timeline.append(task.number, [*drafts, Draft(kind, _sentence(check, row), about)])


def _sentence(check: Check, row: CheckResult) -> str:
    score = f", score {row.score:g}" if row.score is not None else ""
    note = f": {row.note}" if row.note else ""
    return f"Check {check.name} {row.verdict} in {row.millis / 1000:.1f} s{score}{note}"


def view(check: Check, row: CheckResult | None) -> dict[str, Any]:
    """A check as the API and the pages show it; `state` is a verdict, or `not-run` on this tree."""
    head: dict[str, Any] = {"name": check.name, "mode": check.mode, "command": check.command}
    if row is None:
        return {**head, "state": "not-run"}
    return {
        **head,
        "state": row.verdict,
        "score": row.score,
        "note": row.note,
        "exit_code": row.exit_code,
        "millis": row.millis,
        "tree_oid": row.tree_oid,
        "finished_at": rfc3339(row.finished_at),
    }


def views(task: Task, tree_oid: str | None) -> list[dict[str, Any]]:
    """Every check of the task as it stands for this tree; None stands for a merge that conflicts."""
    return [view(check, result(task, check, tree_oid) if tree_oid else None) for check in of(task)]


def summary(shown: list[dict[str, Any]]) -> Mapping[str, Any]:
    """`verify` of a preview: the state of all required checks in one word, `off` where there is none."""
    states = [one["state"] for one in shown if one["mode"] == Mode.REQUIRED]
    for state in (Verdict.FAILED, Verdict.TIMED_OUT, Verdict.ERROR, "not-run"):
        if state in states:
            return {"state": state}
    return {"state": "passed" if states else "off"}
