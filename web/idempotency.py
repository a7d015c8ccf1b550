"""One task per idempotency key: a repeated request gets the first one's task."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

from shared.clock import now
from shared.errors import BadRequest, Conflict
from shared.store.database import transaction
from shared.store.models import Idempotency, Task

KEY = re.compile(r"[\x21-\x7e]{1,255}")
KEPT_DAYS = 7


def once(key: str, digest: str, create: Callable[[], Task]) -> Task:
    """The task made under `key`, now or before. Raises Conflict when it was used for another body.

    The write lock is held throughout, so of two equal requests one creates and the other finds.
    """
    if not KEY.fullmatch(key):
        raise BadRequest("An Idempotency-Key has 1 to 255 printable ASCII characters.")
    with transaction():
        Idempotency.delete().where(Idempotency.created_at < now() - timedelta(days=KEPT_DAYS)).execute()
        known = Idempotency.get_or_none(Idempotency.key == key)
        if known is not None and known.body_hash != digest:
            raise Conflict("This Idempotency-Key was used for another request.")
        task = Task.get_or_none(Task.id == known.task_id) if known else None
        if task is not None:
            return task
        task = create()
        Idempotency.insert(
            key=key, body_hash=digest, task_id=task.id, created_at=now()
        ).on_conflict_replace().execute()
        return task
