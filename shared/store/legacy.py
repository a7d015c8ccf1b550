"""Import of a database made by the reference system: its four tables, whole, into ours."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from shared.clock import now, parse, to_micros
from shared.policy import Policy, evaluate, from_json
from shared.policy.presets import name_of

TABLES = ("tasks", "task_attempts", "events", "workspaces")
LIVE = ("running", "needs-input")
SPENT = ("runtime_millis", "input_tokens", "output_tokens", "tool_calls")
DEFAULT_BUDGET_MINUTES = 15
#: The seven words a status may be; a row with another one is kept, and shown as failed.
STATUSES = ("queued", "running", "needs-input", "ready-for-review", "completed", "failed", "stopped")


def recognises(db: sqlite3.Connection) -> bool:
    """Whether this is the reference system's database: its tables, and no schema version."""
    names = _tables(db)
    version = db.execute("PRAGMA user_version").fetchone()[0]
    return version == 0 and {"tasks", "events"} <= names <= set(TABLES)


def copy(db: sqlite3.Connection) -> None:
    """Copy every row, then drop the old tables; runs inside the upgrade's transaction.

    A row that holds what the old system never wrote is made fit rather than left out: an unknown status is `failed`,
    a policy that cannot be read is the default one with an approval before each start.
    """
    present = _tables(db)
    attempts = (
        list(_rows(db, "task_attempts", "task_id, attempt_number, rowid"))
        if "task_attempts" in present
        else []
    )
    under_way = {row["task_id"] for row in attempts if not row.get("finished_at")}
    started = {row["task_id"] for row in attempts}
    numbers = {
        row["id"]: _task(db, row, gated=row["id"] not in under_way, fresh=row["id"] not in started)
        for row in _rows(db, "tasks", "created_at, rowid")
    }
    for row in attempts:
        if row["task_id"] in numbers:
            _attempt(db, row, numbers[row["task_id"]])
    _spendings(db)
    _events(db, numbers)
    if "workspaces" in present:
        for row in _rows(db, "workspaces", "rowid"):
            _workspace(db, row)
    for name in ("events", "task_attempts", "workspaces", "tasks"):
        if name in present:
            db.execute(f"DROP TABLE {name}")


def _tables(db: sqlite3.Connection) -> set[str]:
    names = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    return {name for name in names if not name.startswith("sqlite_")}


def _rows(db: sqlite3.Connection, table: str, order: str) -> Iterator[dict[str, Any]]:
    found = db.execute(f"SELECT * FROM {table} ORDER BY {order}")  # noqa: S608 — names are ours
    names = [column[0] for column in found.description]
    return (dict(zip(names, row, strict=True)) for row in found)


def _task(db: sqlite3.Connection, row: dict[str, Any], *, gated: bool, fresh: bool) -> int:
    policy = _policy(row.get("policy_json"))
    #: A process of the old system cannot be re-attached: what was under way is stopped, and can be started again.
    gated = gated and row["status"] == "needs-input" and (not fresh or not row.get("execution_workspace"))
    interrupted = row["status"] in LIVE and not gated
    effective = row.get("effective_policy_json")
    approved = _micros(row.get("approved_at"))
    values = {
        "id": row["id"],
        "title": row["title"] or "",
        "prompt": row["prompt"] or "",
        "runner": row["runner"] or "shell",
        "command": row["command"] or "",
        "workspace": row["workspace"] or "",
        "status": "stopped" if interrupted else _status(row),
        "stop_reason": "interrupted" if interrupted else None,
        "budget_minutes": row.get("budget_minutes") or DEFAULT_BUDGET_MINUTES,
        "preset": name_of(policy, {}),
        "policy": json.dumps(policy.to_json()),
        "effective_policy": json.dumps(_policy(effective).to_json()) if effective else None,
        "ledger": json.dumps(_ledger(row)),
        "worktree_path": row.get("worktree_path"),
        "execution_workspace": row.get("execution_workspace"),
        "runner_session_id": row.get("runner_session_id"),
        "base_commit": row.get("base_commit"),
        "diff_stat": row.get("diff_stat"),
        "approved_at": approved,
        "approved_attempt": 1 if approved and fresh else None,
        "worktree_merged_at": _micros(row.get("worktree_merged_at")),
        "worktree_cleaned_at": _micros(row.get("worktree_cleaned_at")),
        "created_at": _micros(row["created_at"]) or 0,
        "updated_at": _micros(row["updated_at"]) or 0,
    }
    return _insert(db, "task", values)


def _status(row: dict[str, Any]) -> str:
    return row["status"] if row["status"] in STATUSES else "failed"


def _ledger(row: dict[str, Any]) -> dict[str, int]:
    """The old ledger's words in ours: cents as micro-dollars."""
    old = _object(row.get("cost_ledger_json"))
    found = {name: old[name] for name in SPENT if isinstance(old.get(name), int)}
    if isinstance(old.get("estimated_cents"), int):
        found["cost_micros"] = old["estimated_cents"] * 10_000
    return found


def _spendings(db: sqlite3.Connection) -> None:
    """A task's ledger is the sum over its attempts; the old system had only the sum, so the last one carries it."""
    db.execute(
        """
        UPDATE attempt SET
            cost = (SELECT json_remove(ledger, '$.runtime_millis') FROM task WHERE number = attempt.task),
            runtime_millis = (SELECT coalesce(json_extract(ledger, '$.runtime_millis'), 0) FROM task WHERE number = attempt.task)
        WHERE attempt_number = (SELECT max(attempt_number) FROM attempt AS other WHERE other.task = attempt.task)
        """
    )


def _attempt(db: sqlite3.Connection, row: dict[str, Any], task: int) -> None:
    #: The old schema let two attempts of a task share a number.
    number = db.execute(
        "SELECT coalesce(max(attempt_number), 0) + 1 FROM attempt WHERE task = ?", (task,)
    ).fetchone()[0]
    started = _micros(row["started_at"]) or 0
    interrupted = row["status"] in LIVE or row["status"] == "queued"
    _insert(
        db,
        "attempt",
        {
            "id": row["id"],
            "task": task,
            "attempt_number": number,
            "runner": row["runner"] or "shell",
            "status": "stopped" if interrupted else _status(row),
            "stop_reason": "interrupted" if interrupted else None,
            "execution_workspace": row.get("execution_workspace"),
            "runner_session_id": row.get("runner_session_id"),
            "queued_at": started,
            "started_at": started,
            "finished_at": _micros(row.get("finished_at")) or to_micros(now()),
            "exit_status": row.get("exit_status"),
            "summary": row.get("summary"),
        },
    )


def _events(db: sqlite3.Connection, numbers: dict[str, int]) -> None:
    seqs: dict[int, int] = {}
    for row in _rows(db, "events", "created_at, rowid"):
        task = numbers.get(row["task_id"])
        if task is None:
            continue
        seqs[task] = seqs.get(task, 0) + 1
        values = {
            "task": task,
            "seq": seqs[task],
            "attempt": row.get("attempt_id"),
            "kind": row["kind"] or "lifecycle",
            "message": row["message"] or "",
            "metadata": json.dumps(_object(row["metadata_json"])) if row.get("metadata_json") else None,
            "created_at": _micros(row["created_at"]) or 0,
        }
        _insert(db, "event", values)
    db.executemany(
        "UPDATE task SET last_seq = ? WHERE number = ?", [(seq, task) for task, seq in seqs.items()]
    )


def _workspace(db: sqlite3.Connection, row: dict[str, Any]) -> None:
    values = {
        "id": str(uuid5(NAMESPACE_URL, row["path"])),
        "path": row["path"],
        "name": row["name"] or os.path.basename(row["path"]),
        "created_at": _micros(row["created_at"]) or 0,
        "updated_at": _micros(row["updated_at"]) or 0,
    }
    _insert(db, "workspace", values)


def _insert(db: sqlite3.Connection, table: str, values: dict[str, Any]) -> int:
    columns, marks = ", ".join(values), ", ".join("?" * len(values))
    statement = f"INSERT INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608 — names are ours
    return int(db.execute(statement, list(values.values())).lastrowid or 0)


def _object(text: str | None) -> dict[str, Any]:
    try:
        value = json.loads(text or "{}", parse_constant=lambda _: None)
    except (TypeError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _policy(text: str | None) -> Policy:
    try:
        policy = from_json(json.loads(text or "{}"))
        evaluate(policy, command="true", workspace="/")
    except (AttributeError, TypeError, ValueError):
        return Policy(require_approval=True)
    return policy


def _micros(text: str | None) -> int | None:
    try:
        return to_micros(parse(text)) if text else None
    except (AttributeError, TypeError, ValueError):
        return None
