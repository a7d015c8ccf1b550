"""A database as the reference system makes it: its tables, its columns, its texts for instants."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE tasks (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, prompt TEXT NOT NULL, runner TEXT NOT NULL, command TEXT NOT NULL,
    workspace TEXT NOT NULL, worktree_path TEXT, execution_workspace TEXT, runner_session_id TEXT, base_commit TEXT,
    diff_stat TEXT, approved_at TEXT, worktree_merged_at TEXT, worktree_cleaned_at TEXT, status TEXT NOT NULL,
    budget_minutes INTEGER NOT NULL, policy_json TEXT NOT NULL, effective_policy_json TEXT, cost_ledger_json TEXT,
    created_at TEXT NOT NULL, updated_at TEXT NOT NULL
);
CREATE TABLE task_attempts (
    id TEXT PRIMARY KEY, task_id TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    attempt_number INTEGER NOT NULL, runner TEXT NOT NULL, status TEXT NOT NULL, execution_workspace TEXT,
    runner_session_id TEXT, started_at TEXT NOT NULL, finished_at TEXT, exit_status TEXT, summary TEXT
);
CREATE TABLE events (
    id TEXT PRIMARY KEY, task_id TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    attempt_id TEXT REFERENCES task_attempts (id) ON DELETE SET NULL, kind TEXT NOT NULL, message TEXT NOT NULL,
    metadata_json TEXT, created_at TEXT NOT NULL
);
CREATE TABLE workspaces (path TEXT PRIMARY KEY, name TEXT NOT NULL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE INDEX idx_events_task_id ON events (task_id);
CREATE INDEX idx_events_attempt_id ON events (attempt_id);
CREATE INDEX idx_task_attempts_task_id ON task_attempts (task_id);
"""
POLICY = {
    "allow_network": False, "allow_git_write": False, "allow_secrets": False, "require_approval": False,
    "blocked_commands": ["rm -rf", "sudo", "git push", "curl", "wget", "ssh", "scp"], "allowed_workspaces": [],
    "allowed_file_globs": [], "allowed_mcp_tools": [], "network_mode": "disabled", "budget_cents": None,
    "max_runtime_minutes": None,
}  # fmt: skip


def id_of(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def at(second: int, fraction: str = "") -> str:
    return f"2026-01-02T03:04:{second:02d}{fraction}+00:00"


class Reference:
    """Writes rows as the reference system does; what a test does not name has a usual value."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with closing(sqlite3.connect(path)) as db:
            db.executescript(SCHEMA)

    def task(self, number: int, **fields: Any) -> str:
        usual = {
            "id": id_of(number), "title": f"Task {number}", "prompt": "", "runner": "shell", "command": "true",
            "workspace": "/tmp", "status": "queued", "budget_minutes": 15, "policy_json": json.dumps(POLICY),
            "cost_ledger_json": None, "created_at": at(number), "updated_at": at(number, ".5"),
        }  # fmt: skip
        return self._insert("tasks", {**usual, **fields})

    def attempt(self, number: int, task: str, **fields: Any) -> str:
        usual = {
            "id": id_of(100 + number), "task_id": task, "attempt_number": 1, "runner": "shell", "status": "completed",
            "started_at": at(number), "finished_at": at(number + 1), "exit_status": "exit status: 0",
        }  # fmt: skip
        return self._insert("task_attempts", {**usual, **fields})

    def event(self, number: int, task: str, **fields: Any) -> str:
        usual = {
            "id": id_of(1000 + number), "task_id": task, "attempt_id": None, "kind": "lifecycle",
            "message": f"event {number}", "metadata_json": None, "created_at": at(0),
        }  # fmt: skip
        return self._insert("events", {**usual, **fields})

    def workspace(self, path: str) -> None:
        self._insert("workspaces", {"path": path, "name": "w", "created_at": at(1), "updated_at": at(2)})

    def run(self, sql: str) -> None:
        with closing(sqlite3.connect(self.path)) as db, db:
            db.execute(sql)

    def _insert(self, table: str, values: dict[str, Any]) -> str:
        with closing(sqlite3.connect(self.path)) as db, db:
            marks = ", ".join("?" * len(values))
            db.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", list(values.values()))
        return str(next(iter(values.values())))
