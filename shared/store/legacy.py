"""Import of a database made by the reference system: its four tables, whole, into ours."""

from __future__ import annotations

import json
import os
import sqlite3
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from shared.clock import now, parse, to_micros
from shared.policy import from_json, preset_of

TABLES = ("tasks", "task_attempts", "events", "workspaces")
LIVE = ("running", "needs-input")
#: The seven words a status may be; a row with another one is kept, and shown as failed.
STATUSES = ("queued", "running", "needs-input", "ready-for-review", "completed", "failed", "stopped")


def recognises(db: sqlite3.Connection) -> bool:
    """Whether this is the reference system's database: its tables, and no schema version."""
    names = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    version = db.execute("PRAGMA user_version").fetchone()[0]
    return version == 0 and {"tasks", "events"} <= names <= {*TABLES, "sqlite_sequence"}


def copy(db: sqlite3.Connection) -> None:
    """Copy every row, then drop the old tables; runs inside the upgrade's transaction."""
    present = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    db.row_factory = sqlite3.Row
    numbers = {
        row["id"]: _task(db, dict(row))
        for row in db.execute("SELECT * FROM tasks ORDER BY created_at, rowid")
    }
    if "task_attempts" in present:
        for row in db.execute("SELECT * FROM task_attempts ORDER BY task_id, attempt_number, rowid"):
            _attempt(db, dict(row), numbers)
    _events(db, numbers)
    if "workspaces" in present:
        for row in db.execute("SELECT * FROM workspaces"):
            _workspace(db, dict(row))
    db.row_factory = None
    for name in ("events", "task_attempts", "workspaces", "tasks"):
        if name in present:
            db.execute(f"DROP TABLE {name}")


def _task(db: sqlite3.Connection, row: dict[str, Any]) -> int:
    policy = _object(row.get("policy_json"))
    #: A process of the old system cannot be re-attached: what was under way is stopped, and can be started again.
    gated = row["status"] == "needs-input" and not row.get("execution_workspace")
    interrupted = row["status"] in LIVE and not gated
    status = row["status"] if row["status"] in STATUSES else "failed"
    values = {
        "id": row["id"],
        "title": row["title"],
        "prompt": row["prompt"],
        "runner": row["runner"],
        "command": row["command"],
        "workspace": row["workspace"],
        "status": "stopped" if interrupted else status,
        "stop_reason": "interrupted" if interrupted else None,
        "budget_minutes": row["budget_minutes"],
        "preset": preset_of(from_json(policy)),
        "policy": json.dumps(from_json(policy).to_json()),
        "effective_policy": row.get("effective_policy_json"),
        "ledger": row.get("cost_ledger_json") or "{}",
        "worktree_path": row.get("worktree_path"),
        "execution_workspace": row.get("execution_workspace"),
        "runner_session_id": row.get("runner_session_id"),
        "base_commit": row.get("base_commit"),
        "diff_stat": row.get("diff_stat"),
        "approved_at": _micros(row.get("approved_at")),
        "worktree_merged_at": _micros(row.get("worktree_merged_at")),
        "worktree_cleaned_at": _micros(row.get("worktree_cleaned_at")),
        "created_at": _micros(row["created_at"]) or 0,
        "updated_at": _micros(row["updated_at"]) or 0,
    }
    return _insert(db, "task", values)


def _attempt(db: sqlite3.Connection, row: dict[str, Any], numbers: dict[str, int]) -> None:
    if row["task_id"] not in numbers:
        return
    task = numbers[row["task_id"]]
    #: The old schema let two attempts of a task share a number.
    number = db.execute(
        "SELECT coalesce(max(attempt_number), 0) + 1 FROM attempt WHERE task = ?", (task,)
    ).fetchone()[0]
    started = _micros(row["started_at"]) or 0
    interrupted = row["status"] in LIVE
    _insert(
        db,
        "attempt",
        {
            "id": row["id"],
            "task": task,
            "attempt_number": number,
            "runner": row["runner"],
            "status": "stopped" if interrupted else row["status"],
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
    for row in db.execute("SELECT * FROM events ORDER BY created_at, rowid"):
        task = numbers.get(row["task_id"])
        if task is None:
            continue
        seqs[task] = seqs.get(task, 0) + 1
        values = {
            "task": task,
            "seq": seqs[task],
            "attempt": row["attempt_id"],
            "kind": row["kind"],
            "message": row["message"],
            "metadata": row["metadata_json"],
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
        value = json.loads(text or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _micros(text: str | None) -> int | None:
    if not text:
        return None
    try:
        return to_micros(parse(text))
    except ValueError:
        return None
