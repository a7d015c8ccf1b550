"""What an ended agent used without having reported it: its session file is asked, and the attempt corrected."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from shared import attempts, tasks
from shared.config import Config
from shared.costs import ledger
from shared.costs.spending import UNKNOWN
from shared.store.database import transaction
from shared.store.models import Attempt, Task
from workers.runners.observations import Outcome, TurnEnded
from workers.sessions import usage

log = logging.getLogger(__name__)
#: A turn that ended so has told its totals.
TOLD = (Outcome.COMPLETED, Outcome.BLOCKED)


def account(attempt: Attempt, turn: TurnEnded | None, config: Config) -> None:
    """Count what the agent's own file has beyond what it reported; a file that cannot be read changes nothing."""
    row = attempts.reload(attempt)
    if row.runner_session_id is None or row.started_at is None or not _is_unsure(row, turn):
        return
    task = Task.get_by_id(row.task_id)
    cwd = str(row.execution_workspace or task.execution_workspace or task.workspace)
    try:
        environment = _environment(row, task, config)
        found = usage.usage_of(row.runner, environment, row.runner_session_id, cwd, row.started_at)
    except Exception:
        log.warning("the use of attempt %s could not be read from its session", row.id, exc_info=True)
        found = None
    with transaction():
        if Attempt.select(Attempt.id).where(attempts.owned(attempt)).exists():
            if found:
                ledger.correct(row, found, of_thread=row.runner in usage.OF_THREAD)
            ledger.count_tools(row)


def _environment(row: Attempt, task: Task, config: Config) -> Mapping[str, str]:
    """The variables that lead to the agent's home, which may be the task's own."""
    if tasks.policy_of(task).agent_home != "private":
        return config.environment
    home = str(config.private_home(task.id, row.runner))
    return {**config.environment, **dict.fromkeys(("CLAUDE_CONFIG_DIR", "CODEX_HOME"), home)}


def _is_unsure(row: Attempt, turn: TurnEnded | None) -> bool:
    """The last turn was cut off, the model is not known, or the total may have a past of somebody else."""
    cut_off = turn is None or turn.outcome not in TOLD
    return cut_off or UNKNOWN in row.usage or (row.resume and row.runner in usage.OF_THREAD)
