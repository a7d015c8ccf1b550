"""What `doctor` looks at. Each check answers by itself; one that breaks is a finding, not the end of the rest."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from openruntime.cli.context import Invocation
from shared.errors import OpenRuntimeError

OK, WARN, FAIL = "ok", "warn", "fail"
PROBE_SECONDS = 10
#: SQLite before this can corrupt a WAL database when a checkpoint meets a write (sqlite.org/wal.html#walresetbug).
SAFE_SQLITE = (3, 51, 3)
PRIVATE = 0o077


@dataclass(frozen=True)
class Check:
    """One finding: `status` ok, warn or fail; `fix` is what to do about the latter two."""

    name: str
    status: str
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
        return [Check(name, FAIL, str(error))]
    except Exception as error:  # noqa: BLE001  (a check that cannot run is itself a finding)
        return [Check(name, FAIL, f"could not be checked: {type(error).__name__}: {error}")]


def git(_: Invocation) -> Iterator[Check]:
    from workers.repository.git import OLDEST, version

    wanted = ".".join(str(part) for part in OLDEST)
    install = f"Install git {wanted} or newer."
    if shutil.which("git") is None:
        yield Check("git", FAIL, "git is not on PATH.", install)
        return
    found = version()
    shown = ".".join(str(part) for part in found)
    if found < OLDEST:
        yield Check("git", FAIL, f"git {shown} is too old.", install)
    else:
        yield Check("git", OK, f"git {shown}")


def runners(_: Invocation) -> Iterator[Check]:
    """Shell must work; an agent that is absent is only worth a remark."""
    from workers.runners import registry

    for name in registry.names():
        runner = registry.get(name)
        program = next(filter(None, map(shutil.which, runner.programs)), None)
        if program is None:
            yield Check(name, FAIL if name == "shell" else WARN, "not on PATH", runner.install)
            continue
        try:
            yield Check(name, OK, f"{_version([program, *runner.version_arguments])} ({program})")
        except (OSError, subprocess.SubprocessError) as error:
            yield Check(name, WARN, f"{program} does not start: {error}", runner.install)


def _version(argv: list[str]) -> str:
    """The first line a program prints about itself; empty for one without a version option."""
    if len(argv) == 1:
        return ""
    done = subprocess.run(  # noqa: S603
        argv, capture_output=True, timeout=PROBE_SECONDS, stdin=subprocess.DEVNULL, check=True
    )
    return next(iter(done.stdout.decode(errors="replace").splitlines()), "")


def containment(_: Invocation) -> Iterator[Check]:
    from workers.attempts.sandbox import tier

    found = tier()
    yield Check("containment", OK, str(found))


def sqlite(_: Invocation) -> Iterator[Check]:
    if sqlite3.sqlite_version_info >= SAFE_SQLITE:
        yield Check("sqlite", OK, f"SQLite {sqlite3.sqlite_version}")
        return
    yield Check(
        "sqlite",
        WARN,
        f"SQLite {sqlite3.sqlite_version} has the WAL-reset race (fixed in 3.51.3); one checkpointer at a time keeps "
        "it rare.",
        "Use a Python whose SQLite is 3.51.3 or newer; keep backups until then.",
    )


def permissions(invocation: Invocation) -> Iterator[Check]:
    config = invocation.config
    if not config.data.exists():
        yield Check("data", OK, f"{config.data} will be made at the first start")
        return
    for name, path, kind in (("data", config.data, "0700"), ("token", config.token_file, "0600")):
        if path.exists():
            yield _private(name, path, kind)
    if not os.access(config.data, os.W_OK | os.X_OK):
        yield Check("data", FAIL, f"{config.data} is not writable.", f"chown -R {os.geteuid()} {config.data}")


def _private(name: str, path: Path, mode: str) -> Check:
    """Others must not read what lets them act as the owner."""
    found = path.stat()
    if found.st_uid != os.geteuid():
        return Check(name, FAIL, f"{path} belongs to user {found.st_uid}.", f"chown {os.geteuid()} {path}")
    if found.st_mode & PRIVATE:
        shown = oct(stat.S_IMODE(found.st_mode))[2:]
        return Check(name, FAIL, f"{path} is open to others (mode {shown}).", f"chmod {mode} {path}")
    return Check(name, OK, f"{path} is private")


def server(invocation: Invocation) -> Iterator[Check]:
    try:
        health = invocation.client.get("/health")
    except OpenRuntimeError as error:
        yield Check("server", WARN, str(error), "openruntime up")
        return
    alive = health.get("workers")
    shown = f"{invocation.client.url} answers, {alive} workers"
    if health.get("status") == "ok":
        yield Check("server", OK, shown)
    else:
        yield Check(
            "server", WARN, f"{shown}, but is {health.get('status')}.", "See the output of `openruntime up`."
        )
