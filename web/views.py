"""The API's objects: Task, Attempt, Approval and Command as contract 5 writes them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared import fleet, groups, task_place, tasks
from shared.agents import options
from shared.clock import rfc3339
from shared.followups import FollowUp
from shared.lifecycle import Status
from shared.policy import Policy, digest_of, grants, report
from shared.policy.report import Ground
from shared.review.group_files import Across
from shared.store.database import raw
from shared.store.models import Approval, Attempt, Command, Task, TaskGroup

MICROS_PER_CENT = 10_000
#: Files of a group that one answer lists.
MOST_FILES = 5_000
#: What a live task frame leaves out (contract 6).
HEAVY = ("events", "attempts", "prompt", "policy", "effective_policy", "policy_report")
STAT = re.compile(r"(\d+) files? changed(?:, (\d+) insertions?\(\+\))?(?:, (\d+) deletions?\(-\))?")
View = dict[str, Any]
DEFAULT_POLICY = Policy().to_json()


@dataclass
class Context:
    """What the views of several tasks need besides their rows, read in five queries for all of them."""

    attempts: dict[int, list[Attempt]] = field(default_factory=dict)
    pending: dict[int, View] = field(default_factory=dict)
    asked: set[int] = field(default_factory=set)
    places: dict[str, int] = field(default_factory=dict)
    grounds: dict[str, Ground] = field(default_factory=dict)


def context(rows: Sequence[Task]) -> Context:
    """Attempts, open commands, open approvals and queue places of these tasks."""
    found = Context()
    if not rows:
        return found
    numbers = [task.number for task in rows]
    order = (Attempt.task, Attempt.attempt_number)
    for row in Attempt.select().where(Attempt.task.in_(numbers)).order_by(*order):
        found.attempts.setdefault(row.task_id, []).append(row)
    #: The redundant state test lets SQLite walk the small index of open commands.
    open_ones = Command.finished_at.is_null() & Command.state.in_(("accepted", "taken"))
    for open_one in Command.select().where(open_ones).order_by(Command.accepted_at):
        found.pending[open_one.task_id] = command(open_one)
    if any(task.status is Status.NEEDS_INPUT for task in rows):
        asked = Approval.select(Approval.task).where(Approval.status == "pending", Approval.task.in_(numbers))
        found.asked = {row.task_id for row in asked}
    if any(task.status is Status.QUEUED and task.live_attempt for task in rows):
        found.places = _places()
    if any(not task.policy_report for task in rows):
        found.grounds = fleet.grounds()
    return found


def _places() -> dict[str, int]:
    rows = raw().execute(
        "SELECT a.id FROM attempt a JOIN task t ON t.number = a.task"
        " WHERE a.status = 'queued' AND a.finished_at IS NULL ORDER BY a.priority DESC, a.rowid"
    )
    return {row[0]: place for place, row in enumerate(rows, start=1)}


def task_views(rows: Sequence[Task]) -> list[View]:
    """Tasks without their events, which are spliced in as text."""
    known = context(rows)
    return [task(row, known) for row in rows]


def task(row: Task, known: Context) -> View:
    """One task: the reference system's fields but `events`, then ours."""
    attempts = [attempt(item, row.id) for item in known.attempts.get(row.number, [])]
    return {
        "id": row.id,
        "title": row.title,
        "prompt": row.prompt,
        "runner": row.runner,
        "command": row.command,
        "workspace": row.workspace,
        "worktree_path": row.worktree_path,
        "execution_workspace": row.execution_workspace,
        "runner_session_id": row.runner_session_id,
        "base_commit": row.base_commit,
        "diff_stat": row.diff_stat,
        "approved_at": rfc3339(row.approved_at),
        "worktree_merged_at": rfc3339(row.worktree_merged_at),
        "worktree_cleaned_at": rfc3339(row.worktree_cleaned_at),
        "status": row.status,
        "budget_minutes": row.budget_minutes,
        "policy": policy(row.policy),
        "effective_policy": None if row.effective_policy is None else policy(row.effective_policy),
        "cost_ledger": ledger(row.ledger),
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
        "attempts": attempts,
        "current_attempt": attempts[-1] if attempts else None,
        "policy_report": row.policy_report
        or report.of(
            tasks.policy_of(row), known.grounds.get(row.runner), task_place.shown(row.place, row.options)
        ),
        "policy_hash": digest_of(policy(row.effective_policy or row.policy)),
        "preset": row.preset,
        "priority": row.priority,
        "labels": row.labels,
        "place": task_place.shown(row.place, row.options),
        "branch": row.branch,
        "base_ref": row.base_ref,
        "target_branch": row.target_branch,
        "verify": row.options.get("verify"),
        "checks": row.checks,
        "env": row.options.get("env", []),
        "depends_on": row.options.get("depends_on", []),
        "options": {name: row.options[name] for name in options.NAMES if name in row.options},
        "attention": _attention(row, known),
        "queue_position": known.places.get(row.live_attempt or "") if row.status is Status.QUEUED else None,
        "event_count": row.last_seq,
        "stop_reason": row.stop_reason,
        "pending_command": _pending(row, known),
        "archived_at": rfc3339(row.archived_at),
        "group_id": row.group_id,
    }


def group(row: TaskGroup, members: Sequence[Task]) -> View:
    """A group with its tasks as lists show them, and the figures they are compared by."""
    denied = groups.denied(members)
    return {
        "id": row.id,
        "base_commit": row.base_commit,
        "picked": row.picked,
        "created_at": rfc3339(row.created_at),
        "tasks": [
            {**light(view), "changes": _changes(member), "denied_calls": denied[member.number]}
            for member, view in zip(members, task_views(members), strict=True)
        ],
    }


def group_files(row: TaskGroup, found: Across) -> View:
    """The files that the tasks of a group changed; equal `version`s of a file are the same bytes."""
    ids = {task.number: task.id for task in found.tasks}
    return {
        "group_id": row.id,
        "task_ids": list(ids.values()),
        "total": len(found.files),
        "files": [
            {
                "path": file.path,
                "path_b64": next(iter(file.by_task.values())).file.get("path_b64"),
                "tasks": [
                    {
                        "task_id": ids[number],
                        "status": made.file["status"],
                        "additions": int(made.file.get("additions") or 0),
                        "deletions": int(made.file.get("deletions") or 0),
                        "version": made.version,
                    }
                    for number, made in file.by_task.items()
                ],
            }
            for file in found.files[:MOST_FILES]
        ],
    }


def _changes(row: Task) -> View | None:
    found = changes(row)
    return None if found is None else dict(zip(("files", "added", "removed"), found, strict=True))


def changes(row: Task) -> tuple[int, int, int] | None:
    """(files, added, removed) lines, from the last line of the stored stat."""
    match = STAT.search(row.diff_stat or "")
    return (int(match[1]), int(match[2] or 0), int(match[3] or 0)) if match else None


def policy(value: View) -> View:
    """A stored policy with every field, those of later versions included."""
    return {**DEFAULT_POLICY, **{name: item for name, item in value.items() if name in DEFAULT_POLICY}}


def _attention(row: Task, known: Context) -> str | None:
    return "approval" if row.number in known.asked else tasks.attention(row)


def _pending(row: Task, known: Context) -> View | None:
    if row.number in known.pending:
        return known.pending[row.number]
    if row.status is Status.QUEUED and row.live_attempt:
        queued = [item for item in known.attempts.get(row.number, []) if item.id == row.live_attempt]
        return queued_start(queued[0]) if queued else None
    return None


def queued_start(row: Attempt) -> View:
    """A start that has not happened yet, as a pending command."""
    return {"id": row.id, "kind": "start", "accepted_at": rfc3339(row.queued_at)}


def command(row: Command) -> View:
    return {"id": row.id, "kind": row.kind, "accepted_at": rfc3339(row.accepted_at)}


def attempt(row: Attempt, task_id: str) -> View:
    """The reference system's eleven fields, then ours. A queued attempt has no start yet: it shows its request."""
    return {
        "id": row.id,
        "task_id": task_id,
        "attempt_number": row.attempt_number,
        "runner": row.runner,
        "status": row.status,
        "execution_workspace": row.execution_workspace,
        "runner_session_id": row.runner_session_id,
        "started_at": rfc3339(row.started_at or row.queued_at),
        "finished_at": rfc3339(row.finished_at),
        "exit_status": row.exit_status,
        "summary": row.summary,
        "runtime_millis": row.runtime_millis,
        "blocked_reason": row.blocked_reason,
        "stop_reason": row.stop_reason,
        "exit_code": row.exit_code,
        "signal": row.signal,
        "cost": ledger({**row.cost, "runtime_millis": row.runtime_millis}),
        "usage": row.usage,
        "queued_at": rfc3339(row.queued_at),
        "outcome": row.outcome,
        "hindrance": row.hindrance,
        "limit_resets_at": rfc3339(row.limit_resets_at),
    }


def ledger(spent: View) -> View:
    """The reference system's five keys, then ours; cents are rounded half up from micro-dollars.

    `cost_micros` is null where tokens were used and no price is known for any of them.
    """
    unpriced = int(spent.get("unpriced_tokens", 0))
    micros = spent.get("cost_micros", None if unpriced else 0)
    return {
        "runtime_millis": int(spent.get("runtime_millis", 0)),
        "input_tokens": int(spent.get("input_tokens", 0)),
        "output_tokens": int(spent.get("output_tokens", 0)),
        "tool_calls": int(spent.get("tool_calls", 0)),
        "estimated_cents": (int(micros or 0) + MICROS_PER_CENT // 2) // MICROS_PER_CENT,
        "cached_tokens": int(spent.get("cached_tokens", 0)),
        "cost_micros": micros,
        "estimated": bool(spent.get("estimated", False)),
        "unpriced_tokens": unpriced,
    }


def followup(row: FollowUp) -> View:
    return {
        "id": row.id,
        "message": row.message,
        "mode": row.mode,
        "state": row.state,
        "created_at": rfc3339(row.created_at),
        "delivered_at": rfc3339(row.delivered_at),
        "detail": row.detail,
    }


def approval(row: Approval, task_id: str) -> View:
    return {
        "id": row.id,
        "task_id": task_id,
        "attempt_id": row.attempt,
        "status": row.status,
        "tool": row.tool,
        "title": row.title,
        "command": row.command,
        "input": row.input,
        "cwd": row.cwd,
        "risk": row.risk,
        "rule": row.rule,
        "choices": row.choices,
        "scope": row.scope,
        "note": row.note,
        "decided_by": row.decided_by,
        "created_at": rfc3339(row.created_at),
        "decided_at": rfc3339(row.decided_at),
        "delivered_at": rfc3339(row.delivered_at),
        "confirmed_at": rfc3339(row.confirmed_at),
        "expires_at": rfc3339(row.expires_at),
        "updated_input": row.updated_input,
        "tool_use_id": row.tool_use_id,
        "task_rule": grants.suggestion(row) if row.status == "pending" else None,
    }


def text(value: Any) -> str:
    """Compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def with_events(view: View, events: Iterable[str]) -> str:
    """A task's JSON text with its events spliced in."""
    return splice(text(view), events)


def splice(task_text: str, events: Iterable[str]) -> str:
    """The same for a task that is text already."""
    return f'{task_text[:-1]},"events":[{",".join(events)}]}}'


def light(view: View) -> View:
    """A task as it goes over the live stream."""
    return {key: value for key, value in view.items() if key not in HEAVY}
