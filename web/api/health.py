"""Whether the server works: for probes, without a credential."""

from __future__ import annotations

import peewee
from flask import Response

from shared import fleet
from shared.clock import rfc3339
from shared.version import VERSION
from web import answers
from web.api import results
from web.resource import Resource
from web.security import Authority, authority
from web.services import services

api = Resource("health", __name__)


@api.get("/health", responses={200: results.Health})
@authority(Authority.PUBLIC)
def health() -> Response:
    """`degraded` without a live worker, or when the store cannot be read."""
    try:
        workers, readable = fleet.live_workers(), True
    except peewee.DatabaseError:
        workers, readable = [], False
    broker = services().config.broker
    return answers.value(
        {
            "status": "ok" if workers and readable else "degraded",
            "storage": "sqlite",
            "version": VERSION,
            "workers": [
                {"id": row.id, "version": row.version, "seen_at": rfc3339(row.seen_at)} for row in workers
            ],
            "broker": "sqlite" if broker == "sqlite" else "redis",
        }
    )
