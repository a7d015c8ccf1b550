"""What was spent, summed as asked for."""

from __future__ import annotations

import datetime as dt

from flask import Response

from shared.costs import ledger, report
from shared.errors import BadRequest
from web import answers
from web.api import results, schemas
from web.resource import Resource
from web.security import Authority, authority

api = Resource("costs", __name__)


@api.get("/costs", responses={200: results.Costs})
@authority(Authority.CLIENT)
def list_costs(query: schemas.CostList) -> Response:
    """Tokens, time and money by attempt, task, workspace, runner, model or day (UTC)."""
    since, until = day(query.since), day(query.until)
    found = report.report(query.by, since=since, until=until, workspace=query.workspace, limit=query.limit)
    as_of = ledger.prices().as_of
    return answers.value(
        {
            "by": query.by,
            "since": query.since,
            "until": query.until,
            "rows": [row.to_json() for row in found.rows],
            "total": found.total.to_json(),
            "truncated": found.truncated,
            "prices_as_of": as_of.isoformat() if as_of else None,
        }
    )


def day(text: str | None) -> dt.date | None:
    """A day as `2026-01-31`; raises BadRequest for one that no calendar has."""
    try:
        return dt.date.fromisoformat(text) if text else None
    except ValueError:
        raise BadRequest(f"{text} is no day; write it as 2026-01-31.") from None
