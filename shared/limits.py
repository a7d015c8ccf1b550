"""Tasks that a usage limit stopped, and those of them that go on by themselves once it is lifted."""

from __future__ import annotations

import logging

from shared import tasks
from shared.clock import now, to_micros
from shared.errors import Refused
from shared.lifecycle import Outcome, Status
from shared.store.database import raw
from shared.store.models import Attempt

log = logging.getLogger(__name__)

MESSAGE = "The usage limit that stopped you is lifted. Go on where you were."
#: Resumed in one round; the rest in the next.
MOST_AT_ONCE = 20
#: Left to itself SQLite walks every failed task: 9.8 ms with 5,000 of them, each second (measured).
DUE = """
SELECT attempt.id FROM attempt INDEXED BY attempt_limit JOIN task ON task.number = attempt.task
WHERE attempt.limit_resets_at <= :at AND attempt.outcome = :outcome AND task.status = :status
  AND task.live_attempt IS NULL AND task.archived_at IS NULL AND task.deleted_at IS NULL
LIMIT :most
"""


def resume_due() -> int:
    """Resume every task that asked for it (`resume_after_limit`) and whose limit is lifted; returns how many.

    Its budgets hold as for any start; one that is refused stays as it is and is not tried again.
    """
    given = {
        "at": to_micros(now()),
        "outcome": Outcome.USAGE_LIMIT,
        "status": Status.FAILED,
        "most": MOST_AT_ONCE,
    }
    due = raw().execute(DUE, given).fetchall()
    resumed = 0
    for attempt in (Attempt.get_by_id(id) for (id,) in due):
        task = attempt.task
        Attempt.update(limit_resets_at=None).where(Attempt.id == attempt.id).execute()
        if not task.options.get("resume_after_limit") or not _is_latest(attempt):
            continue
        try:
            tasks.request_start(task, resume=True, message=MESSAGE)
            resumed += 1
        except Refused as refusal:
            log.info("task %s does not go on by itself: %s", task.id, refusal.detail)
    return resumed


def _is_latest(attempt: Attempt) -> bool:
    return not (
        Attempt.select(Attempt.id)
        .where(Attempt.task == attempt.task_id, Attempt.attempt_number > attempt.attempt_number)
        .exists()
    )
