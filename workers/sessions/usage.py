"""What an agent's own session files say it used: for a process that was killed before it could report it.

Each call of a model counts once, by its last usage, with sub-agents' files; only calls since the attempt began count.
"""

from __future__ import annotations

import itertools
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from shared.clock import from_micros
from shared.costs.spending import Use, added, by_model
from workers import beneath
from workers.runners.claude.tokens import SYNTHETIC
from workers.runners.claude.tokens import use_of as claude_use
from workers.runners.codex.tokens import use_of as codex_use
from workers.sessions import claude, codex, lines, text

#: An attempt's end does not wait longer for its files; what was read until then counts.
SECONDS = 10.0
#: Of one session no more files than these are looked at, and no more calls are told apart.
FILES = 200
CALLS = 200_000
SESSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,199}")
FOREIGN = re.compile(r"[^A-Za-z0-9]")

Counted = dict[str, dict[str, int]]


def usage_of(
    runner: str, environment: Mapping[str, str], session_id: str, cwd: str, since: datetime
) -> Counted | None:
    """Use by model in this session's files from `since` on; None for an unknown runner or where there is no file."""
    read = READERS.get(runner)
    home = STORES[runner].home(dict(environment)) if runner in STORES else None
    if read is None or home is None or not SESSION.fullmatch(session_id):
        return None
    deadline = time.monotonic() + SECONDS
    found = read(Path(home), session_id, cwd, since, lambda: time.monotonic() > deadline)
    return None if found is None else by_model(found)


def _claude(home: Path, session: str, cwd: str, since: datetime, late: Callable[[], bool]) -> Counted | None:
    paths = list(itertools.islice(_claude_files(home, session, cwd), FILES))
    if not paths:
        return None
    calls: dict[str, tuple[str, Use]] = {}

    def take(line: dict[str, Any]) -> None:
        message = line.get("message")
        if line.get("type") != "assistant" or not isinstance(message, dict) or not _is_since(line, since):
            return
        usage, model, id = message.get("usage"), message.get("model"), str(message.get("id"))
        known = id in calls or len(calls) < CALLS
        if isinstance(usage, dict) and isinstance(model, str) and model != SYNTHETIC and known:
            calls[id] = (model, claude_use(usage))

    _read(paths, take, late)
    return _sum(calls.values())


def _claude_files(home: Path, session: str, cwd: str) -> Iterator[Path]:
    """The session's file, in its folder's project or wherever else it is, and its sub-agents'."""
    projects = home / "projects"
    own = projects / FOREIGN.sub("-", os.path.realpath(cwd)) / f"{session}.jsonl"
    files = [own] if own.is_file() else sorted(projects.glob(f"*/{session}.jsonl"))
    for path in files[:1]:
        yield path
        yield from sorted((path.with_suffix("") / "subagents").glob("agent-*.jsonl"))


def _codex(home: Path, session: str, cwd: str, since: datetime, late: Callable[[], bool]) -> Counted | None:
    path = _rollout(home, session, since)
    if path is None:
        return None
    found: Counted = {}
    for rollout in itertools.chain([path], _sub_agents(home, session, since)):
        for model, use in _rollouts_use(rollout, since, late).items():
            found[model] = added(found.get(model, {}), use)
    return None if late() else found  # half of it would be taken for all


def _rollouts_use(path: Path, since: datetime, late: Callable[[], bool]) -> Counted:
    """By its usage records, one per call; where it has none, by the growth of its running totals."""
    calls: dict[str, tuple[str, Use]] = {}
    growth: list[tuple[str, Use]] = []
    model, total = "", dict[str, int]()

    def take(line: dict[str, Any]) -> None:
        nonlocal model, total
        payload = line.get("payload")
        if not isinstance(payload, dict):
            return
        kind = line.get("type")
        if kind == "turn_context":
            model = str(payload.get("model") or model)
        elif kind == "token_usage_record" and _is_since(line, since) and len(calls) < CALLS:
            if isinstance(usage := payload.get("usage"), dict):
                calls[str(payload.get("response_id") or len(calls))] = (model, codex_use(usage))
        elif kind == "event_msg" and payload.get("type") == "token_count":
            told = (payload.get("info") or {}).get("total_token_usage")
            if isinstance(told, dict):
                grown = {name: count - total.get(name, 0) for name, count in codex_use(told).items()}
                total = codex_use(told)
                if _is_since(line, since) and len(growth) < CALLS and min(grown.values()) >= 0:
                    growth.append((model, grown))

    _read([path], take, late)
    return _sum(calls.values() or growth)


def _rollout(home: Path, session: str, since: datetime) -> Path | None:
    """The thread's file: its id tells the day it began, in whatever time zone; else it is searched for."""
    days = [since.date()]
    with suppress(ValueError):
        if (id := UUID(session)).version == 7:
            days.append(from_micros((id.int >> 80) * 1000).date())
    for day in dict.fromkeys(itertools.chain.from_iterable(map(_around, days))):
        for path in _day(home, day).glob(f"rollout-*-{session}.jsonl"):
            return path
    for folder in codex.FOLDERS:
        for path in (home / folder).rglob(f"rollout-*-{session}.jsonl"):
            return path
    return None


def _around(day: date) -> Iterator[date]:
    yield from (day + timedelta(days=days) for days in (0, -1, 1))


def _day(home: Path, day: date) -> Path:
    return home / "sessions" / f"{day:%Y}" / f"{day:%m}" / f"{day:%d}"


def _sub_agents(home: Path, session: str, since: datetime) -> Iterator[Path]:
    """Rollouts begun near the attempt's day or after it that name this session as the one they belong to."""
    last = max(since, from_micros(time.time_ns() // 1000)).date() + timedelta(days=1)
    days, day = list[date](), since.date() - timedelta(days=1)
    while day <= last and len(days) < FILES:
        days.append(day)
        day += timedelta(days=1)
    candidates = (path for day in days for path in sorted(_day(home, day).glob("rollout-*.jsonl")))
    for path in itertools.islice(candidates, FILES * 10):
        with suppress(OSError):
            if path.stat().st_mtime >= since.timestamp() and _belongs(path, session):
                yield path


def _belongs(path: Path, session: str) -> bool:
    with os.fdopen(beneath.open_regular(str(path)), "rb") as file:
        first = lines.parsed(file.readline(lines.LINE_BYTES)) or {}
    meta = first.get("payload")
    return isinstance(meta, dict) and meta.get("id") != session and meta.get("session_id") == session


def _is_since(line: Mapping[str, Any], since: datetime) -> bool:
    at = text.instant(line.get("timestamp"))
    return at is not None and at >= since


def _read(paths: list[Path], take: Callable[[dict[str, Any]], None], late: Callable[[], bool]) -> None:
    for path in paths:
        with suppress(OSError, lines.Interrupted):
            lines.read(str(path), lines.Place(), take, late)


def _sum(calls: Any) -> Counted:
    found: Counted = {}
    for model, use in calls:
        found[model] = added(found.get(model, {}), use)
    return found


STORES: dict[str, Any] = {claude.RUNNER: claude, codex.RUNNER: codex}
READERS: dict[str, Callable[..., Counted | None]] = {claude.RUNNER: _claude, codex.RUNNER: _codex}
#: Whose totals go on across a resume: the file's count by calls is the attempt's own.
OF_THREAD = frozenset({codex.RUNNER})
