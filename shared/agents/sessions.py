"""The inventory of agents' sessions: rows that a worker writes, a list that the web reads, the task of each."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import peewee

from shared.clock import from_micros, now, to_micros
from shared.doorbell import Bell, ring
from shared.errors import NotFound
from shared.store.database import raw, transaction
from shared.store.models import AgentSession, AgentStore

#: A look through the stores is good for this long; asking earlier asks for nothing.
FRESH_SECONDS = 1.0
#: SQLite takes this many values in one statement without complaint.
AT_ONCE = 500
FIELDS = ("title", "workspace", "last_message", "session_id")
#: Of the files of one session the one with the latest word stands for it, and a file before an entry of an index.
CHOOSE = """
WITH ranked AS (
    SELECT path, row_number() OVER (
        PARTITION BY runner, key ORDER BY source = 'codex-session-index', updated_at DESC, path
    ) AS place FROM agent_session
)
UPDATE agent_session SET shown = NOT shown
WHERE shown <> (key <> '' AND path IN (SELECT path FROM ranked WHERE place = 1))
"""

#: Sub-agents of one page that are listed at most; search finds the others.
MOST_SUB_AGENTS = 500

#: Ascending, so that the newest task's row is the one that stays.
OWNERS = """
SELECT runner, runner_session_id, id, number FROM task WHERE runner_session_id IN ({marks}) AND deleted_at IS NULL
UNION
SELECT attempt.runner, attempt.runner_session_id, task.id, task.number
FROM attempt JOIN task ON task.number = attempt.task
WHERE attempt.runner_session_id IN ({marks}) AND task.deleted_at IS NULL
ORDER BY number
"""


class Session(NamedTuple):
    """One session; instants are microseconds, as stored: a list may have thousands."""

    path: str
    runner: str
    session_id: str
    parent_id: str | None
    source: str
    title: str | None
    workspace: str | None
    message_count: int
    last_message: str | None
    created_at: int | None
    updated_at: int


def want_refresh() -> bool:
    """Ask the worker to look through the stores, unless it just has; whether its answer is worth waiting for."""
    at = now()
    stores = list(AgentStore.select())
    if not stores or any(_is_due(store, at) for store in stores):
        with transaction():
            AgentStore.update(wanted_at=at).execute()
            ring(Bell.WORK)
        return True
    return any(is_wanted(store) for store in stores)


def is_wanted(store: AgentStore) -> bool:
    """Whether somebody asked after the last look began; also after the clock was put back."""
    return store.indexed_at is None or store.indexed_at < store.wanted_at or store.indexed_at > now()


def _is_due(store: AgentStore, at: datetime) -> bool:
    if is_wanted(store):
        return False
    return store.indexed_at is not None and (at - store.indexed_at).total_seconds() >= FRESH_SECONDS


def stores() -> dict[str, AgentStore]:
    """What is known of each runner's store, by runner; empty before a worker's first look."""
    return {store.runner: store for store in AgentStore.select()}


def all_looked_at() -> bool:
    """Whether every store was looked through since somebody last asked."""
    found = stores()
    return bool(found) and not any(is_wanted(store) for store in found.values())


def looked_through(homes: Mapping[str, str | None], began_at: datetime) -> None:
    """Note that the stores, runner to folder, were read as they stood at `began_at`."""
    with transaction():
        for runner, home in homes.items():
            AgentStore.insert(runner=runner, home=home, wanted_at=began_at, indexed_at=began_at).on_conflict(
                conflict_target=[AgentStore.runner],
                update={
                    AgentStore.home: home,
                    AgentStore.indexed_at: began_at,
                    AgentStore.wanted_at: peewee.fn.min(AgentStore.wanted_at, to_micros(now())),
                },
            ).execute()
        ring(Bell.CHANGE)


def known(runner: str) -> dict[str, str]:
    """Path to mark of every row of a runner."""
    return dict(raw().execute("SELECT path, mark FROM agent_session WHERE runner = ?", (runner,)).fetchall())


def reader_of(path: str) -> Any:
    """What the worker kept of its last reading of a file."""
    row = AgentSession.select(AgentSession.reader).where(AgentSession.path == path).first()
    return row.reader if row is not None else None


def keep(rows: Sequence[Mapping[str, Any]]) -> None:
    """Store rows by path, those that are there already anew."""
    with transaction():
        for row in rows:
            #: Not by Peewee, whose statement takes three times as long to make as to run (measured).
            names = ", ".join(row)
            changed = ", ".join(f"{name} = excluded.{name}" for name in row if name != "path")
            values = [getattr(AgentSession, name).db_value(value) for name, value in row.items()]
            raw().execute(
                f"INSERT INTO agent_session ({names}) VALUES ({', '.join('?' * len(row))})"  # noqa: S608 -- our names
                f" ON CONFLICT (path) DO UPDATE SET {changed}",
                values,
            )


def drop(paths: Iterable[str]) -> None:
    """Forget rows whose files are gone."""
    gone = list(paths)
    for start in range(0, len(gone), AT_ONCE):
        with transaction():
            AgentSession.delete().where(AgentSession.path.in_(gone[start : start + AT_ONCE])).execute()


def choose() -> None:
    """Let one row stand for each session."""
    with transaction():
        raw().execute(CHOOSE)


def listed(
    *, runner: str | None, text: str | None, limit: int, after: tuple[int, str] | None, top: bool = False
) -> list[Session]:
    """Sessions by last change, newest first, from the place `after` (micros, path) on.

    With `top` the sub-agents of a session that is known are left out; `sub_agents` has them.
    """
    query = _rows()
    if top:
        query = query.where(_is_top())
    if runner:
        query = query.where(AgentSession.runner == runner)
    if text:
        fields = [getattr(AgentSession, name).contains(text) for name in FIELDS]
        query = query.where(functools.reduce(operator.or_, fields))
    if after is not None:
        at, path = from_micros(after[0]), after[1]
        query = query.where(
            (AgentSession.updated_at < at) | ((AgentSession.updated_at == at) & (AgentSession.path < path))
        )
    return _read(query.order_by(AgentSession.updated_at.desc(), AgentSession.path.desc()).limit(limit))


def sub_agents(rows: Sequence[Session]) -> dict[tuple[str, str], list[Session]]:
    """(runner, session id) to the sub-agents of these sessions, the latest change first."""
    query = _rows().where(AgentSession.parent_id.in_(sorted({row.session_id for row in rows})))
    found: dict[tuple[str, str], list[Session]] = {}
    for row in _read(query.order_by(AgentSession.updated_at.desc()).limit(MOST_SUB_AGENTS)):
        found.setdefault((row.runner, owning_id(row)), []).append(row)
    return found


def find(session_id: str) -> Session:
    """The session with this id; raises NotFound. Sub-agents are not found: they cannot be resumed."""
    found = _read(_rows().where(AgentSession.key == session_id).limit(1))
    if not found or found[0].parent_id is not None:
        raise NotFound("There is no such agent session on this machine any more.")
    return found[0]


def session(runner: str, session_id: str) -> Session:
    """The session, or sub-agent, of a runner with this id; raises NotFound."""
    query = _rows().where(AgentSession.runner == runner, AgentSession.session_id == session_id)
    found = _read(query.order_by(AgentSession.updated_at.desc()).limit(1))
    if not found:
        raise NotFound("There is no such agent session on this machine any more.")
    return found[0]


def _is_top() -> Any:
    """Not a sub-agent of a session that is shown."""
    parent = AgentSession.alias("parent")
    known = parent.select().where(
        parent.key == AgentSession.parent_id, parent.runner == AgentSession.runner, parent.shown
    )
    return AgentSession.parent_id.is_null() | ~peewee.fn.EXISTS(known)


def _rows() -> Any:
    columns = [getattr(AgentSession, name) for name in Session._fields]
    return AgentSession.select(*columns).where(AgentSession.shown)


def _read(query: Any) -> list[Session]:
    #: Not as Peewee's objects: 2,000 of them take 0.15 s (measured).
    return [Session(*row) for row in raw().execute(*query.sql())]


def place_of(session: Session) -> tuple[int, str]:
    """Where a list goes on after this session."""
    return session.updated_at, session.path


def owners(rows: Sequence[Session]) -> dict[tuple[str, str], str]:
    """(runner, session id) to the newest task that recorded it; a folder alone proves nothing."""
    ids = sorted({owning_id(row) for row in rows})
    found: dict[tuple[str, str], str] = {}
    for start in range(0, len(ids), AT_ONCE):
        wanted = ids[start : start + AT_ONCE]
        marks = ",".join("?" * len(wanted))
        rows_of_tasks = raw().execute(OWNERS.format(marks=marks), (*wanted, *wanted))
        found |= {(runner, session): id for runner, session, id, _ in rows_of_tasks}
    return found


def owning_id(session: Session) -> str:
    """The id a task records: a sub-agent belongs to its session."""
    return session.parent_id or session.session_id
