"""The commands `preview` and `merge`: gates first, then the engine; done twice, or after a crash, it lands once."""

from __future__ import annotations

import dataclasses
from typing import Any

from shared import commands, tasks
from shared.config import Config
from shared.crashpoints import crashpoint
from shared.errors import Conflict, GitFailed, LandingRefused, Refused
from shared.review import checks, landings
from shared.review.gates import CHECKOUT
from shared.store.database import transaction
from shared.store.models import Command, Landing, Task
from shared.task_place import TaskPlace
from workers.landing import cleanup, gates, site, verification
from workers.landing.gates import Candidate, Item
from workers.repository import completion, landing, merging, references
from workers.repository.strategies import Recipe

#: How often a landing is checked anew because its target moved while the checks ran.
TRIES = 3


def preview(task: Task, command: Command, config: Config) -> dict[str, Any]:
    """What a landing would meet now, and by how many commits the work is `behind` its target; nothing changes."""
    candidate = site.candidate(task, command, config)
    found = candidate.seen
    objections = gates.look(candidate)
    shown = checks.views(task, found.tree_oid or None)
    return {
        **dataclasses.asdict(found),
        "clean": found.clean and not objections,
        "behind": references.behind(
            candidate.repository.git_dir, candidate.capture.base_oid, found.target_oid
        ),
        "blocking": [*objections, *_of_the_users(found.blocking)],
        "verify": checks.summary(shown),
        "checks": shown,
    }


def merge(task: Task, command: Command, config: Config) -> dict[str, Any]:
    """Land the work, and clean up when asked."""
    result = command.result or _merged(task, command, config)
    if not command.body.get("cleanup"):
        return dict(result)
    try:
        cleanup.remove(tasks.get(task.id), force=False, config=config)
    except (Refused, GitFailed) as error:
        return {**result, "cleanup_refused": str(error)}  # the merge stands, whatever becomes of its cleanup
    return dict(result)


def _merged(task: Task, command: Command, config: Config) -> dict[str, Any]:
    if task.live_attempt is not None:
        raise Conflict(f"The task is {task.status}; it can be merged once it has ended.")
    done = _already_landed(task, command)
    if done is not None:
        return done
    candidate = site.candidate(task, command, config)
    if not candidate.capture.files:
        if task.place == TaskPlace.COPY:
            raise Conflict("The task has no worktree of a repository, and no changes to merge in its copy.")
        raise Conflict("The task has no changes to merge.")
    override = command.body.get("override") or []
    overridden = gates.pass_through(candidate, override)
    if not verification.is_required(task):
        return _land(candidate, command, overridden)
    return _land_verified(candidate, command, override, config)


def _land_verified(
    candidate: Candidate, command: Command, override: list[str], config: Config
) -> dict[str, Any]:
    """Land a tree that was checked; where the target moves meanwhile, the new merge is checked in turn."""
    landing.require_as_shown(
        candidate.capture.head_oid,
        candidate.seen.target_oid,
        command.body.get("head_oid"),
        command.body.get("target_oid"),
    )
    for _ in range(TRIES):
        verification.before_landing(candidate, override, config)
        overridden = [
            *gates.pass_through(candidate, override),
            *verification.left_out(candidate, override),
        ]
        try:
            return _land(candidate, command, overridden, candidate.seen.tree_oid or None)
        except landing.OtherTree:
            candidate = dataclasses.replace(candidate)  # looks at the target anew
    raise Conflict("The target branch moves faster than the checks run: try again, or override `verify`.")


def _land(
    candidate: Candidate, command: Command, overridden: list[Item], tree: str | None = None
) -> dict[str, Any]:
    """Land what was looked at; with `tree`, exactly that. Raises as `landing.land` does."""
    task, body = candidate.task, command.body
    recorded: list[Landing] = []

    def record(intent: completion.Intent) -> None:
        recorded.append(
            landings.begin_landing(
                task,
                candidate.row,
                intent.strategy,
                intent.target_branch,
                intent.to_json(),
                overridden,
                _judged(candidate, intent.commit_oid),
            )
        )
        crashpoint("merge.intent")

    try:
        landed = landing.land(
            candidate.repository,
            candidate.capture,
            recipe=Recipe(
                candidate.strategy,
                body.get("message") or landings.proposed_message(task),
                history=candidate.history,
            ),
            target_branch=candidate.target_branch,
            expected_head=body.get("head_oid"),
            expected_target=body.get("target_oid"),
            expected_tree=tree,
            record=record,
        )
    except (Refused, GitFailed) as error:
        for begun in recorded:
            landings.end_landing(begun, "refused")
        if isinstance(error, LandingRefused):
            error.extra["blocking"] = _of_the_users(error.extra["blocking"])
        raise
    crashpoint("merge.moved")
    for given_up in recorded[:-1]:
        landings.end_landing(given_up, "refused")
    return _landed(task, command, recorded[-1], landed)


def _judged(candidate: Candidate, commit_oid: str) -> list[Item]:
    """How the task's checks stand for exactly what lands."""
    if not checks.of(candidate.task):
        return []
    return checks.views(candidate.task, merging.tree_of(candidate.repository.git_dir, commit_oid))


def _already_landed(task: Task, command: Command) -> dict[str, Any] | None:
    """A merge delivered twice, or resumed after a crash: go on with the landing that was begun."""
    begun = landings.unfinished_landing(task)
    if begun is not None:
        try:
            return _landed(
                task, command, begun, completion.complete(completion.Intent.from_json(begun.intent))
            )
        except (Refused, GitFailed):
            landings.end_landing(begun, "refused")
            raise
    if task.worktree_merged_at is not None:
        raise Conflict("The task's changes are already merged.")
    return None


def _landed(task: Task, command: Command, recorded: Landing, landed: completion.Landed) -> dict[str, Any]:
    """Record a landing, its task and what the command answers in one transaction: all of it is so, or none."""
    where = landings.where_it_lands(task, landed.target_branch)
    said = f"Merged into {where}" + (f" as {landed.commit_oid[:10]}" if landed.commit_oid else "")
    kinds = sorted({item["kind"] for item in recorded.overridden})
    said += f"; overridden: {', '.join(kinds)}" if kinds else ""
    result = {"message": said, "commit_oid": landed.commit_oid, "target_branch": landed.target_branch}
    with transaction():
        landings.end_landing(
            recorded,
            "landed",
            commit_oid=landed.commit_oid,
            previous_oid=landed.previous_oid,
            backup_ref=landed.backup_ref,
        )
        if tasks.get(task.id).worktree_merged_at is None:
            landings.merged(task, said)
        commands.keep_result(command.id, result)
    crashpoint("merge.recorded")
    return result


def _of_the_users(found: Any) -> list[Item]:
    return [{"kind": CHECKOUT, "overridable": False, **item} for item in found]
