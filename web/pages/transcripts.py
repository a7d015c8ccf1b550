"""What was said in one agent session, drawn as the timeline draws it, page by page; the end first."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

from flask import Flask
from markupsafe import Markup

from shared.agents import sessions
from shared.agents.sessions import Session
from shared.clock import from_micros, parse
from shared.errors import Conflict, NotFound, Refused
from web.api import transcripts as api
from web.api.schemas import PLACE
from web.pages import frame
from web.pages.sessions import address, shown
from web.rendering import rows
from web.rendering.rows import Context, Seen
from web.security import Authority, authority, writes

ENTRIES = 200


def install(app: Flask) -> None:
    app.add_url_rule("/ui/sessions/<runner>/<session_id>", "transcript", page)


@authority(Authority.PAGE)
@writes
def page(runner: str, session_id: str) -> str:
    """The last entries; those from `?start=` on, or before `?before=`."""
    session = api.find(runner, session_id)
    start, before = _place("start"), _place("before")
    problem: str | None = None
    found: dict[str, Any] = {"entries": [], "next": None, "previous": None, "size_bytes": 0}
    try:
        found = api.page(session, start, None if start else before or "end", ENTRIES)
    except (Conflict, NotFound) as error:
        problem = error.detail
    here = address(session)
    return frame.page(
        "transcript.html",
        item=shown([session], nested=True)[0],
        parent=_parent(session),
        html=draw(session, found["entries"]),
        problem=problem,
        address=here,
        earlier=_link(here, before=found["previous"]),
        later=_link(here, start=found["next"]),
        size_bytes=found["size_bytes"],
    )


def draw(session: Session, entries: list[dict[str, Any]]) -> Markup:
    """The rows of these entries; one without a time of its own has that of the one before it."""
    at = from_micros(session.created_at or session.updated_at)
    seen = []
    for entry in entries:
        at = parse(entry["created_at"]) if entry["created_at"] else at
        offset, _, within = str(entry["place"]).partition(".")
        #: Every entry takes more than a byte of its line: the sum is another for each, and ascending.
        number = int(offset) + int(within)
        seen.append(Seen(number, None, entry["kind"], entry["message"], entry["metadata"] or {}, at))
    return rows.html(rows.rows(seen, Context("", session.runner, is_live=False)))


def _place(name: str) -> str | None:
    given = frame.query(name)
    return given if re.fullmatch(PLACE, given) else None


def _link(here: str, **place: str | None) -> str | None:
    return f"{here}?{urlencode(place)}" if any(place.values()) else None


def _parent(session: Session) -> str | None:
    """The page of the session that a sub-agent belongs to, where it is still there."""
    if session.parent_id is None:
        return None
    try:
        return address(sessions.session(session.runner, session.parent_id))
    except Refused:
        return None
