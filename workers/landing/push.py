"""The commands `push` and `push-preview`: a task's work, or what it landed as, goes to a branch of a remote."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shared import commands
from shared.audit import Act
from shared.config import Config
from shared.errors import Conflict, LandingRefused, NotReady, OpenRuntimeError
from shared.review import checks, landings
from shared.review.gates import GateKind, item, refusing
from shared.store.database import transaction
from shared.store.models import Command, Task
from shared.task_place import PLAIN
from workers.attempts import granting
from workers.attempts.place import changed_configuration
from workers.landing import gates, pull_request, site, verification
from workers.landing.gates import Candidate, Item
from workers.repository import discovery, landing, pushing, references, remotes, strategies
from workers.repository.authorship import clean_message
from workers.repository.discovery import Repository
from workers.repository.pushing import Push
from workers.repository.remotes import Remote
from workers.repository.strategies import Recipe
from workers.repository.target import choose
from workers.repository.transfer import has, send

#: Stands in the command that is shown before the commit is made.
TO_BE_MADE = "COMMIT"
OUTPUT_CHARACTERS = 16_000


@dataclass(frozen=True)
class Wish:
    """Where a push goes: `landed` is the commit of the task's landing, "" while its work has not landed."""

    repository: Repository
    known: list[Remote]
    remote: Remote
    branch: str
    base: str
    landed: str

    def push_of(self, task: Task, commit: str) -> Push:
        """Work may take the place of what the same task pushed before; a landing only goes forward."""
        before = landings.last_push(task, self.remote.name, self.branch)
        return Push(self.remote, commit, self.branch, None if self.landed else before or "")


def preview(task: Task, command: Command, config: Config) -> dict[str, Any]:
    """What a push would send where, by which commands, and what the gates object to; nothing changes."""
    wish = _wish(task, command)
    head: dict[str, Any] = {
        "remotes": [{"name": one.name, "address": one.shown} for one in wish.known],
        "remote": wish.remote.name,
        "branch": wish.branch,
        "base": wish.base,
        "landed": bool(wish.landed),
        "commands": [wish.push_of(task, wish.landed or TO_BE_MADE).shown()],
        "pull_request": pull_request.prepared(task, wish.remote, wish.branch, wish.base),
    }
    if wish.landed:
        return {**head, "commit_oid": wish.landed, "conflicts": [], "blocking": _of_configuration(task, wish)}
    candidate = site.candidate(task, command, config)
    found, shown = candidate.seen, checks.views(task, candidate.seen.tree_oid or None)
    return {
        **head,
        "commit_oid": None,
        "conflicts": list(found.conflicts),
        "blocking": gates.look(candidate),
        "head_oid": found.head_oid,
        "target_oid": found.target_oid,
        "files": list(found.files),
        "verify": checks.summary(shown),
        "checks": shown,
    }


def push(task: Task, command: Command, config: Config) -> dict[str, Any]:
    """Push, and open a pull request where one is asked for. Taken up again after a crash, the same commit is pushed."""
    if task.live_attempt is not None:
        raise Conflict(f"The task is {task.status}; it can be pushed once it has ended.")
    wish = _wish(task, command)
    known = dict(command.result or {})
    plan = known.get("plan") or _planned(task, command, wish, config)
    if "pushed" not in known:
        known = _sent(task, command, wish, plan, config)
    return {**known, **_opened(task, command, wish, config)}


def _wish(task: Task, command: Command) -> Wish:
    if task.place in PLAIN:
        raise Conflict(f"{task.workspace} is in no git repository: there is no remote to push to.")
    repository = discovery.locate(task.workspace)
    if repository is None:
        raise NotReady(f"{task.workspace} is not in a git repository any more.")
    known = remotes.of(repository)
    remote = remotes.choose(known, command.body.get("remote"))
    last = landings.last_landing(task) if task.worktree_merged_at is not None else None
    if task.worktree_merged_at is not None and (last is None or last.commit_oid is None):
        raise Conflict(
            "The work was applied to your checkout as uncommitted edits: commit and push it yourself."
        )
    own = (last.target_branch if last is not None else task.branch) or task.branch or ""
    branch = references.branch_name(command.body.get("branch") or own)
    base = (last.target_branch if last is not None else None) or command.body.get("target_branch")
    landed = str(last.commit_oid) if last is not None else ""
    return Wish(repository, known, remote, branch, base or task.target_branch or "", landed)


def _planned(task: Task, command: Command, wish: Wish, config: Config) -> dict[str, Any]:
    """The commit to push, in the user's repository, and what of the gates a person let pass."""
    override = command.body.get("override") or []
    if wish.landed:
        overridden, commit = _let_pass(_of_configuration(task, wish), override), wish.landed
    else:
        overridden, commit = _made(task, command, wish, override, config)
    kinds = sorted({one["kind"] for one in overridden})
    wanted = wish.push_of(task, commit)
    plan = {"commit_oid": commit, "expected": wanted.expected, "overridden": kinds}
    commands.keep_result(command.id, {"plan": plan})
    return plan


def _made(
    task: Task, command: Command, wish: Wish, override: list[str], config: Config
) -> tuple[list[Item], str]:
    """A commit as a landing would make it now, after the same gates and checks."""
    candidate = site.candidate(task, command, config)
    body = command.body
    if not candidate.capture.files:
        raise Conflict("The task has no changes to push.")
    landing.require_as_shown(
        candidate.capture.head_oid, candidate.seen.target_oid, body.get("head_oid"), body.get("target_oid")
    )
    if candidate.seen.conflicts:
        names = ", ".join(one["path"] for one in candidate.seen.conflicts[:3])
        raise LandingRefused(
            f"The change conflicts with the target in {names}.",
            conflicts=list(candidate.seen.conflicts),
            blocking=[],
        )
    gates.pass_through(candidate, override)
    if verification.is_required(task):
        verification.before_landing(candidate, override, config)
    overridden = [*gates.pass_through(candidate, override), *verification.left_out(candidate, override)]
    return overridden, _commit(task, command, candidate)


def _commit(task: Task, command: Command, candidate: Candidate) -> str:
    message = clean_message(command.body.get("message") or landings.proposed_message(task))
    target = choose(candidate.repository, candidate.target_branch, candidate.strategy)
    own = candidate.capture.git_directory
    recipe = Recipe(candidate.strategy, message, history=candidate.history)
    made = strategies.make(candidate.repository, own, candidate.capture, target, recipe)
    if made.tree != candidate.seen.tree_oid:
        raise Conflict("The target branch has moved meanwhile, and with it what would be pushed: try again.")
    if made.commit == target.oid:
        raise Conflict("There are no changes to push: the target has them already.")
    bases = (target.oid, candidate.capture.base_oid)
    known = tuple(oid for oid in bases if oid and has(candidate.repository.git_dir, oid))
    send(made.commit, own, candidate.repository.common_dir, known=known)
    return made.commit


def _of_configuration(task: Task, wish: Wish) -> list[Item]:
    """What a landing let pass, it has on record; the configuration may have changed since."""
    changed = changed_configuration(task, wish.repository)[: gates.MOST_FINDINGS]
    return [item(GateKind.CHANGED_CONFIGURATION, "", f"{name}: {what}") for name, what in changed]


def _let_pass(found: list[Item], override: list[str]) -> list[Item]:
    left = refusing(found, override)
    if left:
        raise LandingRefused(left[0]["why"], conflicts=[], blocking=left)
    return found


def _sent(task: Task, command: Command, wish: Wish, plan: dict[str, Any], config: Config) -> dict[str, Any]:
    redact = granting.redactor(task, config).redact
    wanted = Push(wish.remote, plan["commit_oid"], wish.branch, plan["expected"])
    said = f"Pushed {wanted.commit[:10]} to branch {wish.branch} of {wish.remote.name}"
    said += f"; overridden: {', '.join(plan['overridden'])}" if plan["overridden"] else ""
    shown = redact(f"$ {wanted.shown()}\n")
    try:
        output = shown + redact(pushing.push(wish.repository, wanted, ours=config.data))[-OUTPUT_CHARACTERS:]
    except Conflict as refused:
        told = redact(str(refused.extra.pop("output", "")))[-OUTPUT_CHARACTERS:]
        landings.not_pushed(task, redact(refused.detail), shown + told)
        raise
    place = {"remote": wish.remote.name, "branch": wish.branch, "commit_oid": wanted.commit}
    result = {"plan": plan, "message": said, "pushed": place, "commit_oid": wanted.commit}
    with transaction():
        landings.published(task, Act.PUSHED, said, output, overridden=plan["overridden"], **place)
        commands.keep_result(command.id, result)
    return result


def _opened(task: Task, command: Command, wish: Wish, config: Config) -> dict[str, Any]:
    """The pull request, or the page to open one on; the push stands, whatever becomes of it."""
    hosted = wish.remote.hosted
    differs = hosted is not None and wish.base and wish.base != wish.branch
    compare = hosted.compare(wish.base, wish.branch) if hosted is not None and differs else None
    said = command.body.get("pull_request")
    if said is None:
        return {"compare_url": compare}
    try:
        url = pull_request.open_one(task, wish.remote, wish.branch, wish.base, said, config)
    except OpenRuntimeError as error:
        return {"compare_url": compare, "pull_request_refused": str(error)}
    return {"compare_url": compare, "pull_request_url": url}
