"""The agents' sessions on this machine, ours and those a person began, from the rows that a worker keeps."""

from __future__ import annotations

import base64
import binascii
import os
import re
import shlex
from collections.abc import Callable, Mapping
from urllib.parse import urlencode

from flask import Response, request

from shared import fleet
from shared.agents import sessions
from shared.agents.sessions import Session
from shared.clock import from_micros, rfc3339
from shared.errors import BadRequest, NotFound
from web import answers, effects, views
from web.api import results, schemas
from web.api.events import RESUME
from web.resource import Resource
from web.security import Authority, authority, writes
from web.services import services

api = Resource("sessions", __name__)

PLACE = re.compile(r"(-?[0-9]{1,17}):(.*)", re.DOTALL)
#: Where each program keeps its sessions unless its settings say otherwise.
HOMES = {
    "codex": (("CODEX_HOME",), ".codex"),
    "claude-code": (("CLAUDE_CONFIG_DIR", "CLAUDE_HOME"), ".claude"),
}


@api.get("/runner-sessions", responses={200: results.Sessions})
@authority(Authority.CLIENT)
@writes
def list_sessions(query: schemas.SessionList) -> Response:
    """Sessions of Codex and Claude by last change, newest first; all of them unless `limit` says otherwise."""
    after = position(query.cursor) if query.cursor else None
    refresh()
    texts, following = _page(query, after)
    stores = sessions.stores()
    homes = {name: stores[name].home if name in stores else _home(name) for name in HOMES}
    tail = {
        "codex_home": homes["codex"],
        "claude_home": homes["claude-code"],
        "next_cursor": following,
    }
    headers = {"Link": f'<{request.path}?{_with_cursor(following)}>; rel="next"'} if following else None
    return answers.text(f'{{"sessions":[{",".join(texts)}],{views.text(tail)[1:]}', headers=headers)


def refresh() -> None:
    """Have a worker look through the stores, and give it a moment."""
    if sessions.want_refresh() and fleet.live_workers():
        effects.until(lambda: sessions.all_looked_at() or None, effects.STEER_SECONDS)


def looked_for(find: Callable[[], Session]) -> Session:
    """The session that `find` finds, once more after a look where it is not known yet; raises NotFound."""
    try:
        return find()
    except NotFound:
        refresh()
        return find()


def _page(query: schemas.SessionList, after: tuple[int, str] | None) -> tuple[list[str], str | None]:
    """As many sessions as were asked for and fit into one answer, and the cursor of the next page."""
    texts: list[str] = []
    left, last = answers.ANSWER_BYTES, None
    while query.limit is None or len(texts) < query.limit:
        step = (
            schemas.SESSIONS_AT_ONCE
            if query.limit is None
            else min(query.limit - len(texts), schemas.SESSIONS_AT_ONCE)
        )
        found = sessions.listed(runner=query.runner, text=query.q, limit=step + 1, after=after)
        tasks = sessions.owners(found)
        for session in found[:step]:
            text = views.text(view(session, tasks.get((session.runner, sessions.owning_id(session)))))
            left -= len(text)
            if texts and left < 0:
                return texts, last
            texts.append(text)
            after = sessions.place_of(session)
            last = cursor_of(after)
        if len(found) <= step:
            return texts, None
    return texts, last


def view(row: Session, task_id: str | None) -> views.View:
    """The reference system's thirteen fields."""
    return {
        "runner": row.runner,
        "session_id": row.session_id,
        "title": row.title,
        "workspace": row.workspace,
        "transcript_path": transcript_path(row),
        "created_at": _instant(row.created_at),
        "updated_at": _instant(row.updated_at),
        "source": row.source,
        "resume_command": resume_command(row),
        "message_count": row.message_count,
        "last_message": row.last_message,
        "openruntime_task_id": task_id,
        "managed_by_openruntime": task_id is not None,
    }


def transcript_path(row: Session) -> str | None:
    return None if row.source == "codex-session-index" else row.path


def resume_command(row: Session) -> str | None:
    """What to type in a terminal; None for a sub-agent, which cannot be resumed."""
    form = None if row.source == "claude-subagent-jsonl" else RESUME.get(row.runner)
    return form.format(shlex.quote(row.session_id)) if form else None


def _instant(micros: int | None) -> str | None:
    return None if micros is None else rfc3339(from_micros(micros))


def _home(runner: str) -> str | None:
    """Where the store would be, before a worker has said so."""
    names, folder = HOMES[runner]
    environment: Mapping[str, str] = services().config.environment
    for name in names:
        if environment.get(name):
            return os.path.abspath(environment[name])
    return os.path.join(environment["HOME"], folder) if environment.get("HOME") else None


def _with_cursor(cursor: str) -> str:
    return urlencode({**request.args.to_dict(), "cursor": cursor})


def cursor_of(place: tuple[int, str]) -> str:
    return base64.urlsafe_b64encode(f"{place[0]}:{place[1]}".encode()).decode().rstrip("=")


def position(cursor: str) -> tuple[int, str]:
    try:
        match = PLACE.fullmatch(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode())
        if match:
            from_micros(int(match[1]))
            return int(match[1]), match[2]
    except (binascii.Error, ValueError, OverflowError):
        pass
    raise BadRequest("The cursor is not one of ours; take it from next_cursor.")
