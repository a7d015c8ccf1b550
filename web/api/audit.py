"""The audit log: read, held against its heads, and exported."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import asdict

from flask import Response

from shared import audit
from shared.audit import export as audit_export
from shared.audit.chain import heads_file, verify
from shared.clock import parse
from shared.errors import BadRequest
from shared.store.database import raw
from web import answers, views
from web.api import results, schemas
from web.api.schemas.audit import AuditFilter
from web.resource import Resource
from web.security import Authority, authority
from web.services import services

api = Resource("audit", __name__)

MOST = 500
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
MEDIA = {"jsonl": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}


@api.get("/audit", responses={200: results.Listed[results.AuditEntry]})
@authority(Authority.OWNER)
def list_entries(query: schemas.AuditList) -> Response:
    """Who decided what; `Link: rel=next` leads on."""
    limit = min(query.limit, MOST)
    rows = audit.page(
        wanted(query),
        after=int(query.cursor) if query.cursor else None,
        limit=limit + 1,
        newest_first=query.order == "newest",
    )
    more = {"cursor": rows[limit - 1]["seq"]} if len(rows) > limit else None
    return answers.array([views.text(row) for row in rows[:limit]], more)


@api.get("/audit/verify", responses={200: results.AuditVerdict})
@authority(Authority.OWNER)
def check() -> Response:
    """Whether the log is whole, and which entry is the first that is not."""
    found = verify(raw(), heads_file(services().config.data))
    return answers.value({"stands": found.stands, **asdict(found)})


EXPORTED = {"description": "The entries.", "content": {"application/x-ndjson": {}, "text/csv": {}}}


@api.get("/audit/export", responses={200: EXPORTED})
@authority(Authority.OWNER)
def export(query: schemas.AuditExport) -> Response:
    """The entries as a file, oldest first."""
    lines = audit_export.FORMATS[query.format](audit.all_of(wanted(query)))
    name = f'attachment; filename="audit.{query.format}"'
    return Response(lines, content_type=MEDIA[query.format], headers={"Content-Disposition": name})


def wanted(query: AuditFilter) -> audit.Filter:
    """What a query asks for; raises BadRequest for what is neither a day nor an instant."""
    return audit.Filter(
        query.kind, query.actor, query.task, _instant(query.since), _instant(query.until, is_end=True)
    )


def _instant(text: str | None, *, is_end: bool = False) -> dt.datetime | None:
    """A day begins at midnight UTC; as an end it is included."""
    if not text:
        return None
    try:
        at = parse(text)
        return at + dt.timedelta(days=1) if is_end and DAY.fullmatch(text) else at
    except (ValueError, OverflowError):
        raise BadRequest(
            f"{text!r} is no day and no instant; write it as 2026-01-31 or 2026-01-31T12:00:00Z."
        ) from None
