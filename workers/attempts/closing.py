"""Closing an attempt: how its agent ended, what it changed, and the one transaction that says so."""

from __future__ import annotations

import dataclasses
import logging
import shutil
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shared import attempts, lifecycle, tasks
from shared.attempts import Ending
from shared.config import Config
from shared.costs import ledger
from shared.crashpoints import crashpoint
from shared.errors import GitFailed, Refused
from shared.events import Category, Draft, Kind
from shared.lifecycle import Status, StopReason
from shared.review.landings import latest_capture, stand_in_place
from shared.store.models import Attempt, Capture, Task
from workers.attempts import capturing, homes, process
from workers.attempts.accounting import account
from workers.attempts.place import changed_configuration, repository_of, worktree_of
from workers.attempts.steering import OUTAGE, UNSAFE
from workers.repository import in_place
from workers.repository.worktree import Worktree
from workers.runners.observations import Outcome, TurnEnded

log = logging.getLogger(__name__)
SUMMARY_CHARACTERS = 500
#: Changes of git's configuration that an event names.
MOST_CHANGES = 20
#: Ends that supervision made and nobody asked for; they are failures, not stops.
OUR_ENDS = frozenset({OUTAGE, UNSAFE})
FAILURES = frozenset({Outcome.FAILED, Outcome.OUTAGE, Outcome.LOGIN_MISSING, Outcome.USAGE_LIMIT})


def close(attempt: Attempt, turn: TurnEnded | None, config: Config, again: Callable[[Attempt], None]) -> None:
    """Close an attempt whose shim has ended; `again` re-adopts it when the shim turns out to be alive.

    A shim that died took its agent with it or left it to be killed here; it is never started again by itself (P4).
    """
    directory = config.attempts / attempt.id
    if process.state(directory) in ("alive", "starting"):
        again(attempt)
        return
    exit = process.read_exit(directory)
    process.sweep(attempt.id)
    account(attempt, turn, config)
    task = Task.get_by_id(attempt.task_id)
    homes.put_away(directory, config.home_view(task.id, attempt.runner))
    drafts, changed, kept = capture(task, attempt, config)
    drafts += _tampering(task, attempt, config)
    crashpoint("end.captured")
    ending = _lost(attempt) if exit is None else _ended(attempt, exit, turn, changed)
    drafts += ending.drafts
    attempts.finish(attempt, dataclasses.replace(ending, drafts=drafts, capture=kept))
    crashpoint("end.finished")


def capture(task: Task, attempt: Attempt, config: Config) -> tuple[list[Draft], bool, str | None]:
    """The diff event, whether there is anything to review, and the capture's id; a failing capture is an event, not a
    lost end.
    """
    worktree = worktree_of(task, config)
    if worktree is None or (task.worktree_path is None and not worktree.in_place):
        return [], False, None
    try:
        kept = capturing.take(task, worktree, config, attempt.id, why="end")
        if worktree.in_place:
            return _in_place(task, worktree, kept), False, kept.id
    except (GitFailed, Refused, OSError) as error:
        log.warning("the capture of task %s failed", task.id, exc_info=True)
        last = latest_capture(task)
        waits = bool(last and last.files) and not worktree.in_place
        return [Draft(Kind.ERROR, f"The changes could not be captured: {error}")], waits, None
    changed = bool(kept.files)
    return [Draft(Kind.DIFF, kept.stat if changed else "No changes were captured")], changed, kept.id


def _in_place(task: Task, worktree: Worktree, kept: Capture) -> list[Draft]:
    """What was edited in place has landed with that: it waits for nobody, and can be undone."""
    intent = in_place.landed(worktree, kept.head_oid, [file["path"] for file in kept.files])
    stand_in_place(task, kept, intent.to_json())
    if not kept.files:
        return [Draft(Kind.DIFF, "No changes were captured")]
    said = f"These edits are in {worktree.path} already; an undo takes them back"
    return [Draft(Kind.DIFF, kept.stat), Draft(Kind.LIFECYCLE, said)]


def _tampering(task: Task, attempt: Attempt, config: Config) -> list[Draft]:
    """What says which programs git runs is compared where the agent could reach it (contract 8)."""
    known = attempt.identity or {}
    reachable = known.get("tier") == "landlock" and tasks.policy_of(task).allow_git_write
    if known.get("contained") and not reachable:
        return []
    changed = changed_configuration(task, repository_of(task, config))
    if not changed:
        return []
    attempts.suspect(attempt)
    about = {"category": Category.POLICY, "attempt_id": attempt.id, "field": "allow_git_write"}
    listed = "".join(f"\n{name}: {what}" for name, what in changed[:MOST_CHANGES])
    said = f"Git's configuration or hooks changed during this attempt; merging waits for a look at it{listed}"
    return [Draft(Kind.ERROR, said, about)]


def _lost(attempt: Attempt) -> Ending:
    about = {"category": Category.ATTEMPT_STOPPED, "attempt_id": attempt.id, "reason": StopReason.INTERRUPTED}
    said = Draft(Kind.LIFECYCLE, "The agent died with its supervisor; start or resume the task again", about)
    return Ending(Status.STOPPED, stop_reason=StopReason.INTERRUPTED, drafts=[said])


def _ended(attempt: Attempt, exit: process.Exit, turn: TurnEnded | None, changed: bool) -> Ending:
    failure = exit.exec_error or exit.sandbox_error
    if failure:
        return _never_ran(attempt, failure)
    if exit.reason in OUR_ENDS:
        turn = _cut_short(attempt, exit.reason, turn)
        exit = dataclasses.replace(exit, reason=None)
    spoken = turn is not None and turn.outcome in (Outcome.COMPLETED, Outcome.BLOCKED)
    failed = turn is not None and turn.outcome in FAILURES
    status = lifecycle.after_exit(
        code=0 if spoken else exit.code, stop_reason=exit.reason, has_changes=changed, failed=failed
    )
    said = lifecycle.exit_status(exit.code, exit.signal, _signal_name(exit.signal))
    return Ending(
        status,
        exit_status=None if exit.reason else said,
        exit_code=exit.code,
        signal=exit.signal,
        stop_reason=exit.reason,
        blocked_reason=_used_up(attempt) if exit.reason == StopReason.BUDGET else _blocked(turn),
        summary=((turn.error or turn.text)[:SUMMARY_CHARACTERS] or None) if turn else None,
        runtime_millis=exit.runtime_millis,
        drafts=[_last_word(attempt, status, exit, said, changed, turn)],
        outcome=turn.outcome if turn else None,
        limit_resets_at=_moment(turn.resets_at) if turn else None,
    )


def _cut_short(attempt: Attempt, reason: str | None, turn: TurnEnded | None) -> TurnEnded:
    """The end we made ourselves: of an agent that does not ask, or that cannot reach its model."""
    if reason == UNSAFE and turn is not None:
        return turn
    hindrance = attempts.reload(attempt).hindrance or "no answer"
    return TurnEnded(Outcome.OUTAGE, error=f"The model's API could not be reached: {hindrance}")


def _blocked(turn: TurnEnded | None) -> str | None:
    """What keeps the work from being done, where that is not the agent's own doing."""
    if turn is None or turn.outcome in (Outcome.COMPLETED, Outcome.INTERRUPTED, Outcome.FAILED):
        return None
    return "Tools were denied." if turn.outcome is Outcome.BLOCKED else turn.error


def _used_up(attempt: Attempt) -> str:
    """Which of the two budgets ended it, in a sentence with its figure."""
    return ledger.used_up(Task.get_by_id(attempt.task_id))


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _last_word(
    attempt: Attempt,
    status: Status,
    exit: process.Exit,
    said: str | None,
    changed: bool,
    turn: TurnEnded | None,
) -> Draft:
    about: dict[str, Any] = {"attempt_id": attempt.id}
    if status is Status.STOPPED:
        about |= {"category": Category.ATTEMPT_STOPPED, "reason": exit.reason}
        if exit.reason == StopReason.BUDGET:
            about["budget_minutes"] = Task.get_by_id(attempt.task_id).budget_minutes
            about["detail"] = detail = _used_up(attempt)
            return Draft(Kind.LIFECYCLE, f"Attempt stopped: {exit.reason}. {detail}", about)
        return Draft(Kind.LIFECYCLE, f"Attempt stopped: {exit.reason}", about)
    about |= {"exit_status": said}
    if status is Status.FAILED:
        why = f": {turn.error}" if turn and turn.error else f" with {said}"
        return Draft(Kind.LIFECYCLE, f"Attempt failed{why}", {"category": Category.ATTEMPT_FAILED, **about})
    about |= {"category": Category.ATTEMPT_COMPLETED, "has_changes": changed}
    review = "; its changes are ready for review" if changed else ""
    return Draft(Kind.LIFECYCLE, f"Attempt completed{review}", about)


def _never_ran(attempt: Attempt, failure: str) -> Ending:
    about = {
        "category": Category.ATTEMPT_START_FAILED,
        "attempt_id": attempt.id,
        "attempt_number": attempt.attempt_number,
        "error": failure,
    }
    said = Draft(Kind.ERROR, f"The agent could not be started: {failure}", about)
    return Ending(Status.FAILED, blocked_reason=failure, summary=failure, drafts=[said])


def _signal_name(number: int | None) -> str:
    try:
        return signal.Signals(number).name if number else ""
    except ValueError:
        return ""


def forget(directories: list[Path]) -> None:
    """Delete attempt directories whose shims have ended."""
    for directory in directories:
        if process.state(directory) not in ("alive", "starting"):
            shutil.rmtree(directory, ignore_errors=True)
