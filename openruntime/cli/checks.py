"""What `doctor` looks at. Each check answers by itself; one that breaks is a finding, not the end of the rest."""

from __future__ import annotations

import os
import shlex
import shutil
import sqlite3
import stat
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from openruntime.cli.context import Invocation
from shared.errors import NotFound, OpenRuntimeError, Unavailable

PROBE_SECONDS = 10
#: SQLite before this can corrupt a WAL database when a checkpoint meets a write (sqlite.org/wal.html#walresetbug).
SAFE_SQLITE = (3, 51, 3)
PRIVATE = 0o077


class Level(StrEnum):
    """How bad a finding is, in rising order."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Check:
    """One finding; `fix` is what to do about it, where that is not nothing."""

    name: str
    status: Level
    detail: str
    fix: str = ""


def run_all(invocation: Invocation) -> list[Check]:
    """Every check, in the order a person would want to read them."""
    from openruntime.cli.remains import drift, stray_processes

    checks: dict[str, Callable[[Invocation], Iterator[Check]]] = {
        "git": git,
        "runners": runners,
        "containment": containment,
        "sqlite": sqlite,
        "permissions": permissions,
        "audit": audit,
        "server": server,
        "processes": stray_processes,
        "drift": drift,
    }
    return [finding for name, check in checks.items() for finding in _findings(name, check, invocation)]


def _findings(
    name: str, check: Callable[[Invocation], Iterator[Check]], invocation: Invocation
) -> list[Check]:
    try:
        return list(check(invocation))
    except OpenRuntimeError as error:
        return [Check(name, Level.FAIL, str(error))]
    except Exception as error:  # noqa: BLE001  (a check that cannot run is itself a finding)
        return [Check(name, Level.FAIL, f"could not be checked: {type(error).__name__}: {error}")]


def git(_: Invocation) -> Iterator[Check]:
    from workers.repository.git import version

    yield Check("git", Level.OK, f"git {'.'.join(str(part) for part in version())}")


def runners(_: Invocation) -> Iterator[Check]:
    """Shell must work; an agent that is absent is only worth a remark."""
    from workers.runners import registry

    for name in registry.names():
        runner = registry.get(name)
        program = next(filter(None, map(shutil.which, runner.programs)), None)
        if program is None:
            yield Check(name, Level.FAIL if name == "shell" else Level.WARN, "not on PATH", runner.install)
            continue
        try:
            yield Check(name, Level.OK, f"{_version([program, *runner.version_arguments])} ({program})")
        except (OSError, subprocess.SubprocessError) as error:
            yield Check(name, Level.WARN, f"{program} does not start: {error}", runner.install)


def _version(argv: list[str]) -> str:
    """The first line a program prints about itself; empty for one without a version option."""
    if len(argv) == 1:
        return ""
    done = subprocess.run(  # noqa: S603
        argv, capture_output=True, timeout=PROBE_SECONDS, stdin=subprocess.DEVNULL, check=True
    )
    return next(iter(done.stdout.decode(errors="replace").splitlines()), "")


def containment(invocation: Invocation) -> Iterator[Check]:
    """The tier, and for each of them which fields of a policy that restricts everything it would enforce."""
    from shared.policy import report
    from workers.attempts.sandbox import tier

    found = tier(invocation.config.containment)
    fix = "; ".join(found.fix)
    if found.name == "bubblewrap":
        yield Check("containment", Level.OK, f"{found.name}: {found.detail}")
    elif found.works:
        yield Check(
            "containment",
            Level.WARN,
            f"{found.name}, which protects less than bubblewrap: {found.detail}",
            fix,
        )
    else:
        yield Check(
            "containment", Level.WARN, f"Agents run uncontained, policies are advice: {found.detail}", fix
        )
    for name in report.TIERS:
        enforced = [field for field, by_tier in report.matrix().items() if by_tier[name] == "enforced"]
        here = " (here)" if name == found.name else ""
        yield Check(f"tier {name}", Level.OK, f"enforces{here}: {', '.join(enforced)}")


def sqlite(_: Invocation) -> Iterator[Check]:
    if sqlite3.sqlite_version_info >= SAFE_SQLITE:
        yield Check("sqlite", Level.OK, f"SQLite {sqlite3.sqlite_version}")
        return
    yield Check(
        "sqlite",
        Level.WARN,
        f"SQLite {sqlite3.sqlite_version} has the WAL-reset race (fixed in 3.51.3); one checkpointer at a time keeps "
        "it rare.",
        "Use a Python whose SQLite is 3.51.3 or newer; keep backups until then.",
    )


def permissions(invocation: Invocation) -> Iterator[Check]:
    config = invocation.config
    if not config.data.exists():
        yield Check("data", Level.OK, f"{config.data} will be made at the first start")
        return
    for name, path, kind in (
        ("data", config.data, "0700"),
        ("token", config.token_file, "0600"),
        ("secrets key", config.secrets_key_file, "0600"),
    ):
        if path.exists():
            yield _private(name, path, kind)
    if not os.access(config.data, os.W_OK | os.X_OK):
        yield Check(
            "data",
            Level.FAIL,
            f"{config.data} is not writable.",
            f"chown -R {os.geteuid()} {shlex.quote(str(config.data))}",
        )


def _private(name: str, path: Path, mode: str) -> Check:
    """Others must not read what lets them act as the owner."""
    found = path.stat()
    if found.st_uid != os.geteuid():
        return Check(
            name,
            Level.FAIL,
            f"{path} belongs to user {found.st_uid}.",
            f"chown {os.geteuid()} {shlex.quote(str(path))}",
        )
    if found.st_mode & PRIVATE:
        shown = oct(stat.S_IMODE(found.st_mode))[2:]
        return Check(
            name,
            Level.FAIL,
            f"{path} is open to others (mode {shown}).",
            f"chmod {mode} {shlex.quote(str(path))}",
        )
    return Check(name, Level.OK, f"{path} is private")


def audit(invocation: Invocation) -> Iterator[Check]:
    from openruntime.cli.audit import verdict

    if not invocation.config.database.exists():
        return
    try:
        found = verdict(invocation.config)
    except NotFound as error:
        yield Check(
            "audit", Level.WARN, str(error), "The next start of the server brings the store up to date."
        )
        return
    if found.stands:
        yield Check("audit", Level.OK, f"the audit log is whole, {found.entries} entries")
    else:
        yield Check(
            "audit",
            Level.FAIL,
            f"Entry {found.first_bad} of the audit log is not right: {found.problem}.",
            "Compare with a backup or a copy of audit.heads (docs/audit.md); the log cannot be mended.",
        )


def server(invocation: Invocation) -> Iterator[Check]:
    try:
        health = invocation.client.get("/health")
    except Unavailable as error:
        yield Check("server", Level.WARN, str(error), "openruntime up")
        return
    alive = len(health.get("workers") or ())
    shown = f"{invocation.client.url} answers, {alive} {'worker' if alive == 1 else 'workers'}"
    if health.get("status") == "ok":
        yield Check("server", Level.OK, shown)
    else:
        yield Check(
            "server",
            Level.WARN,
            f"{shown}, but is {health.get('status')}.",
            "See the output of `openruntime up`.",
        )
