"""Agents' sessions on this machine: ours and those a person began, each with a way to go on with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from flask import Flask

from shared.agents import adoption, sessions
from shared.agents.sessions import Session
from shared.store.models import Task
from web.api import sessions as api
from web.pages import frame
from web.security import Authority, authority, writes

SHOWN = 40
RUNNERS = ("claude-code", "codex")


@dataclass(frozen=True)
class Shown:
    """One session; `problem` says why no task can take it up, `task` is the one it belongs to."""

    session: Session
    task: Task | None
    resume: str | None
    transcript: str | None
    problem: str | None
    below: Sequence[Session] = ()

    @property
    def address(self) -> str | None:
        """The page of what was said in it."""
        return address(self.session) if self.transcript else None

    @property
    def continues(self) -> str | None:
        """The composer, filled in; None where nothing can be continued."""
        row = self.session
        if self.task is not None or self.resume is None or self.problem or row.workspace is None:
            return None
        filled = {"compose": 1, "runner": row.runner, "workspace": row.workspace, "session": row.session_id}
        return f"/?{urlencode(filled)}#composer"


def address(session: Session) -> str:
    """The page of what was said in a session."""
    return f"/ui/sessions/{quote(session.runner, safe='')}/{quote(session.session_id, safe='')}"


def install(app: Flask) -> None:
    app.add_url_rule("/ui/sessions", "sessions", page)
    app.jinja_env.globals |= {"session_path": address, "session_runners": RUNNERS}


@authority(Authority.PAGE)
@writes
def page() -> str:
    """A page of sessions, the latest change first; with words in `?q=` also sub-agents stand for themselves."""
    words, runner, cursor = frame.query("q")[:500], frame.query("runner")[:100], frame.query("cursor")
    after = api.position(cursor) if cursor else None
    api.refresh()
    found = sessions.listed(
        runner=runner or None, text=words or None, limit=SHOWN + 1, after=after, top=not words
    )
    rows, following = found[:SHOWN], None
    if len(found) > SHOWN:
        given = {"q": words, "runner": runner, "cursor": api.cursor_of(sessions.place_of(rows[-1]))}
        following = "/ui/sessions?" + urlencode({name: value for name, value in given.items() if value})
    return frame.page(
        "sessions.html",
        sessions=shown(rows, nested=not words),
        runners=RUNNERS,
        filters={"q": words, "runner": runner},
        following=following,
        is_first=after is None,
        looked=bool(sessions.stores()),
    )


def shown(rows: Sequence[Session], *, nested: bool) -> list[Shown]:
    owners = sessions.owners(rows)
    tasks = {task.id: task for task in Task.select().where(Task.id.in_(list(owners.values())))}
    below = sessions.sub_agents(rows) if nested else {}
    return [_shown(row, owners, tasks, below.get((row.runner, row.session_id), [])) for row in rows]


def _shown(
    row: Session, owners: Mapping[tuple[str, str], str], tasks: Mapping[str, Task], below: Sequence[Session]
) -> Shown:
    task = tasks.get(owners.get((row.runner, sessions.owning_id(row)), ""))
    resume = api.resume_command(row)
    problem = None
    if task is None and resume is not None:
        problem = adoption.elsewhere(row, row.workspace or "")
    return Shown(row, task, resume, api.transcript_path(row), problem, below)
