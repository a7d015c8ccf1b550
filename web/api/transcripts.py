"""What was said in an agent's session, page by page, as a worker reads it from the agent's own store."""

from __future__ import annotations

from typing import Any

from flask import Response

from shared import fleet
from shared.agents import sessions, transcripts
from shared.agents.sessions import Session
from shared.agents.transcripts import Asked
from shared.errors import Conflict, NotFound, Unavailable
from web import answers, effects
from web.api import results, schemas
from web.api.sessions import looked_for, transcript_path, view
from web.resource import Resource
from web.security import Authority, authority, writes

api = Resource("transcripts", __name__)


@api.get("/runner-sessions/<runner>/<session_id>/transcript", responses={200: results.Transcript})
@authority(Authority.OWNER)
@writes
def show(path: schemas.BySession, query: schemas.TranscriptPart) -> Response:
    """Messages, tool calls and their results in order; from the beginning unless a place is given."""
    session = find(path.runner, path.session_id)
    found = page(session, query.start, query.before, query.limit)
    task_id = sessions.owners([session]).get((session.runner, sessions.owning_id(session)))
    return answers.value({"session": view(session, task_id), **found})


def find(runner: str, session_id: str) -> Session:
    """The session, or sub-agent, with this id; raises NotFound."""
    return looked_for(lambda: sessions.session(runner, session_id))


def page(session: Session, start: str | None, before: str | None, limit: int) -> dict[str, Any]:
    """`{entries, next, previous, size_bytes}`, as a worker has just read it, or as it last did.

    Raises NotFound where there is no transcript, Conflict where it cannot be read, Unavailable where nobody has yet.
    """
    path = transcript_path(session)
    if path is None:
        raise NotFound("Of this session only its name is left; there is no transcript.")
    asked = Asked(session.runner, path, start, before, limit)
    transcripts.want(asked)
    found = None
    if fleet.live_workers():
        found = effects.until(lambda: transcripts.read_page(asked), effects.STEER_SECONDS)
    found = found or transcripts.read_page(asked, fresh=False)
    if found is None:
        raise Unavailable("No worker has read this transcript yet; try again in a moment.")
    if "problem" in found:
        raise Conflict(found["problem"])
    return found
