"""Who works here: the worker processes, and the runners they found on their machines."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from shared.clock import now
from shared.policy import report
from shared.policy.report import Ground
from shared.store.database import transaction
from shared.store.models import Runner, Worker

#: A worker says it is alive this often; it is shown as live while its last word is younger than three of them.
HEARTBEAT_SECONDS = 5.0
SILENT_SECONDS = 3 * HEARTBEAT_SECONDS
#: The order of the reference system; third-party runners follow by name.
BUILT_IN = ("codex", "claude-code", "shell")
#: What the reference system stores as an agent task's command.
DISPLAY = {
    "codex": "codex exec --json --skip-git-repo-check -s workspace-write -C <workspace> <goal>",
    "claude-code": "claude -p --output-format stream-json --verbose <goal>",
}


@dataclass(frozen=True)
class RunnerState:
    """What a worker found out about one runner; `detail` says how to fix what is missing."""

    name: str
    available: bool
    command: str
    version: str | None = None
    detail: str | None = None
    capabilities: Mapping[str, Any] | None = None


def host() -> str:
    """This machine's name: locks prove life only among the workers of one host."""
    return socket.gethostname()


def register_worker(id: str, version: str, variables: Sequence[str] = ()) -> None:
    """Say that a worker is here; `variables` are the names of what it could hand to an agent."""
    with transaction():
        at = now()
        Worker.insert(
            id=id,
            host=host(),
            pid=os.getpid(),
            version=version,
            started_at=at,
            seen_at=at,
            variables=list(variables),
        ).on_conflict_replace().execute()


def beat(id: str) -> None:
    """The worker's heartbeat: for display; on one host its lock is the truth."""
    with transaction():
        Worker.update(seen_at=now()).where(Worker.id == id).execute()


def forget_worker(id: str) -> None:
    with transaction():
        Worker.delete().where(Worker.id == id).execute()


def workers() -> list[Worker]:
    """Every registered worker, live or not."""
    return list(Worker.select().order_by(Worker.started_at))


def live_workers() -> list[Worker]:
    """Workers heard of lately."""
    limit = now() - timedelta(seconds=SILENT_SECONDS)
    return list(Worker.select().where(Worker.seen_at > limit).order_by(Worker.started_at))


def publish_runners(states: list[RunnerState]) -> None:
    with transaction():
        for state in states:
            Runner.insert(
                name=state.name,
                available=state.available,
                command=state.command,
                version=state.version,
                detail=state.detail,
                capabilities=dict(state.capabilities or {}),
                seen_at=now(),
            ).on_conflict_replace().execute()


def runners() -> list[RunnerState]:
    """The built-in runners first, in the reference system's order, known or not; then the others."""
    rows = {row.name: row for row in Runner.select().order_by(Runner.name)}
    names = [*BUILT_IN, *(name for name in rows if name not in BUILT_IN)]
    return [_state(name, rows.get(name)) for name in names]


def runner(name: str) -> RunnerState | None:
    """One runner's state, or None when nobody knows the name."""
    return next((state for state in runners() if state.name == name), None)


def grounds() -> dict[str, Ground]:
    """What the policies of each runner's tasks rest on here; none of a runner that no worker has looked at."""
    found = {state.name: state.capabilities or {} for state in runners()}
    return {name: report.on(known) for name, known in found.items() if "containment" in known}


def _state(name: str, row: Runner | None) -> RunnerState:
    if row is None:
        programs = {"claude-code": "claude", "shell": "/bin/sh"}
        detail = None if name == "shell" else "No worker has looked for it yet."
        return RunnerState(name, name == "shell", programs.get(name, name), detail=detail)
    return RunnerState(row.name, row.available, row.command, row.version, row.detail, row.capabilities)
