"""The command `rebase`: a task's work is brought onto the tip of its target; what conflicts is refused, or marked."""

from __future__ import annotations

from typing import Any

from shared import commands, tasks
from shared.commands import State
from shared.config import Config
from shared.crashpoints import crashpoint
from shared.errors import Conflict, LandingRefused
from shared.review import landings
from shared.secrets import masking
from shared.store.database import transaction
from shared.store.models import Command, Task
from workers.attempts import capturing, granting
from workers.landing import site
from workers.repository import folders, rebasing, removal
from workers.repository.target import Target, choose

NAMED = 50
#: How the folder as it is now is called, where the other side would be a branch.
FOLDER = "the-folder"


def rebase(task: Task, command: Command, config: Config) -> dict[str, Any]:
    """Give the worktree the target's tip as its base. `conflicts` is `refuse` or `mark`; with `ask` the agent resolves them.

    Raises LandingRefused with the conflicts, unless they are to be marked.
    """
    if task.live_attempt is not None:
        raise Conflict(f"The task is {task.status}; it can be rebased once it has ended.")
    if command.body.get("ask"):
        _refuse_without_agent(task)
    known = command.result or {}
    plan = known.get("plan") or _planned(task, command, config)
    worktree, repository = site.of(task, config)
    crashpoint("rebase.planned")
    moved = rebasing.move(
        repository,
        worktree,
        base=plan["base"],
        old=plan["old"],
        tree=plan["tree"],
        again="plan" in known,
    )
    if repository.plain:
        folders.stand_on(repository, moved.base_commit)
    crashpoint("rebase.moved")
    capturing.take(task, moved, config, why=command.kind)
    marked = plan["conflicts"]
    said = (
        f"Rebased onto {plan['branch']} at {plan['base'][:10]}; the work before it is kept as {plan['kept']}"
    )
    if marked:
        said += f". {len(marked)} {'file holds' if len(marked) == 1 else 'files hold'} conflict markers"
    result = {
        "message": said,
        "base_commit": plan["base"],
        "conflicts": marked,
        "worktree_path": str(moved.path),
        "recovery_ref": plan["kept"],
    }
    with transaction():
        landings.rebased(task, plan["base"], said)
        told = masking.throughout(result, granting.redactor(task, config).redact)
        commands.finish(command.id, State.APPLIED, told)  # before the agent may be started again
        if command.body.get("ask") and marked:
            tasks.request_reply(tasks.get(task.id), in_words(plan), None)
    return result


def _planned(task: Task, command: Command, config: Config) -> dict[str, Any]:
    """What the worktree will be; the work is safe under its recovery ref before anything moves."""
    worktree, repository = site.of(task, config)
    if repository.plain:  # it has no branch that moves on, but the folder does
        target = Target(FOLDER, folders.snapshot_now(repository), None)
    else:
        target = choose(repository, command.body.get("target_branch") or task.target_branch, "squash")
    if target.oid in ("", worktree.base_commit):
        raise Conflict(f"The task is on the tip of {target.branch} already.")
    row = capturing.take(task, worktree, config, why=command.kind)
    merged = rebasing.onto(worktree, tree=row.tree_oid, target=target.oid, name=str(target.branch))
    if merged.conflicts and command.body.get("conflicts") != "mark":
        raise LandingRefused(
            f"The work conflicts with {target.branch} in {merged.conflicts[0]['path']}.",
            conflicts=list(merged.conflicts),
            blocking=[],
        )
    plan = {
        "branch": target.branch,
        "base": target.oid,
        "old": row.tree_oid,
        "tree": merged.tree,
        "conflicts": [{"path": one["path"], "why": one["why"]} for one in merged.conflicts],
        "kept": removal.preserve(repository, worktree, row.head_oid),
    }
    commands.keep_result(command.id, {"plan": plan})
    return plan


def _refuse_without_agent(task: Task) -> None:
    if task.runner == "shell" or not task.runner_session_id:
        raise Conflict("There is no agent session to ask; resolve the conflicts yourself.")


def in_words(plan: dict[str, Any]) -> str:
    """What the agent is told: where its work stands now, and which files it has to resolve."""
    found = plan["conflicts"]
    files = "\n".join(f"- {one['path']} ({one['why']})" for one in found[:NAMED])
    more = f"\n- and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return (
        f"The branch {plan['branch']} has moved on while you worked, and your changes were rebased onto it. These files "
        f"conflict:\n\n{files}{more}\n\nIn each, the part below <<<<<<< {plan['branch']} is what the branch has now, the part "
        f"below ||||||| is what both began with, and the part up to >>>>>>> {rebasing.TASK_SIDE} is your work. Resolve every conflict so that both "
        "intentions are kept, remove the markers, leave all other changes of the branch as they are, and check that the "
        "result still works. A file that one side deleted needs a decision: keep it or delete it."
    )
