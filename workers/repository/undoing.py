"""Taking a landing back: branch and checkout as they were, or a commit that reverts it where more came after it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.errors import Conflict, LandingRefused
from workers.repository import authorship, blocking, merging, references
from workers.repository.completion import UNAPPLY, Intent
from workers.repository.difference import Touched, touched
from workers.repository.discovery import Repository
from workers.repository.git import git
from workers.repository.landing import in_the_way, require_as_shown
from workers.repository.shadow import empty_tree, shadow
from workers.repository.snapshot import display
from workers.repository.target import Target, choose
from workers.repository.transfer import has, send

#: The three ways, as a person reads them.
PUT_BACK, REVERT = "undo", "revert"
WORDS = {
    PUT_BACK: "The branch and its checkout go back to where they were.",
    REVERT: "A commit that reverts it goes on top of what came after it.",
    UNAPPLY: "The edited files of the checkout get their old content.",
}


@dataclass(frozen=True)
class Undoing:
    """What undoing a landing would do now, and what stands in the way; `intent` is None while anything does."""

    how: str
    conflicts: tuple[dict[str, Any], ...]
    blocking: tuple[dict[str, Any], ...]
    target_branch: str | None
    target_oid: str
    files: tuple[str, ...]
    intent: Intent | None


@dataclass(frozen=True)
class _Way:
    how: str
    commit: str
    tip: str | None
    paths: tuple[Touched, ...]
    conflicts: tuple[dict[str, Any], ...] = ()


def look(repository: Repository, landed: Intent) -> Undoing:
    """What undoing the landing means now; nothing of the user's changes.

    Raises Conflict where it is not on its branch any more, NotReady where the branch is gone.
    """
    strategy = "apply" if landed.strategy == "apply" else "squash"
    target = choose(repository, None if strategy == "apply" else landed.target_branch, strategy)
    if not has(repository.git_dir, landed.commit_oid):
        raise Conflict("The landed commit is not stored any more: there is nothing to undo.")
    with shadow(repository) as own:
        way = _way(repository, own, landed, target)
        waiting = _waiting(repository, own, landed, target, way)
        ready = not way.conflicts and not waiting
        if ready:
            known = tuple(oid for oid in (target.oid, landed.commit_oid) if oid)
            send(way.commit, own, repository.common_dir, known=known)
        return Undoing(
            how=way.how,
            conflicts=way.conflicts,
            blocking=tuple(waiting),
            target_branch=target.branch,
            target_oid=target.oid,
            files=tuple(display(item.path) for item in way.paths),
            intent=_intent(repository, landed, target, way) if ready else None,
        )


def prepare(repository: Repository, landed: Intent, *, expected_target: str | None = None) -> Intent:
    """The undoing as a prepared landing, pinned.

    Raises LandingRefused while anything is in the way, Conflict where the target is not where it was shown, else as
    `look` does.
    """
    found = look(repository, landed)
    require_as_shown("", found.target_oid, None, expected_target)
    if found.intent is None:
        first = (*found.conflicts, *found.blocking)[0]["path"]
        why = "conflicts with what came after it" if found.conflicts else "would touch something of yours"
        raise LandingRefused(
            f"Undoing the landing {why}: {first}.",
            conflicts=list(found.conflicts),
            blocking=list(found.blocking),
        )
    pin = references.landing_ref(landed.task_id)
    references.update(repository.common_dir, pin, found.intent.commit_oid)
    return found.intent


def _way(repository: Repository, own: Path, landed: Intent, target: Target) -> _Way:
    before = merging.tree_of(own, landed.previous_oid) if landed.previous_oid else empty_tree(own)
    if landed.strategy == "apply":
        paths = touched(own, before, landed.commit_oid)
        return _Way(UNAPPLY, landed.commit_oid, None, paths)
    if target.oid == landed.commit_oid and not _is_published(repository, landed.commit_oid):
        commit = merging.commit(own, before, [landed.commit_oid], "Undo a landing")
        return _Way(PUT_BACK, commit, landed.previous_oid, touched(own, landed.commit_oid, before))
    words = ("merge-base", "--is-ancestor", landed.commit_oid, target.oid)
    if not target.oid or git(*words, git_dir=own, check=False).code != 0:
        raise Conflict(f"The landing is not on branch {target.branch} any more: there is nothing to undo.")
    ours, theirs = merging.trees_of(own, target.oid, landed.commit_oid)
    merged = merging.replay(own, base=theirs, ours=ours, theirs=before)
    if merged.conflicts:
        return _Way(REVERT, "", None, (), merged.conflicts)
    if merged.tree == ours:
        raise Conflict("What it changed is gone from the branch already: there is nothing to undo.")
    env = authorship.signature(repository, None)
    message = authorship.reverting(own, landed.commit_oid, landed.task_id)
    commit = merging.commit(own, merged.tree, [target.oid], message, env)
    return _Way(REVERT, commit, None, touched(own, ours, merged.tree))


def _is_published(repository: Repository, oid: str) -> bool:
    """Whether a remote has the commit, as far as this repository knows: then history is not taken back, but added to."""
    words = ("for-each-ref", "--count=1", "--contains", oid, "refs/remotes")
    return bool(git(*words, git_dir=repository.git_dir).text)


def _waiting(
    repository: Repository, own: Path, landed: Intent, target: Target, way: _Way
) -> list[blocking.Item]:
    if way.how != UNAPPLY:
        return in_the_way(repository, target, way.paths)
    assert target.place is not None  # noqa: S101 -- `choose` for apply always finds one
    if target.oid != landed.previous_oid:
        if repository.plain:
            raise Conflict("The task has gone on from a later state of the folder: this landing stays.")
        raise Conflict("You have committed since the edits were applied: take them back with git.")
    busy = blocking.under_way(target.place.git_dir)
    with shadow(repository, target.place.git_dir) as seen:
        found = blocking.find_after_apply(repository, target.place, seen, target.oid or None, way.paths)
    return busy + found


def _intent(repository: Repository, landed: Intent, target: Target, way: _Way) -> Intent:
    return Intent(
        task_id=landed.task_id,
        strategy=way.how,
        target_branch=target.branch,
        previous_oid=target.oid,
        commit_oid=way.commit,
        head_oid=landed.head_oid,
        repository_directory=str(repository.common_dir),
        home=landed.home,
        checkout_path=str(target.place.path) if target.place else None,
        files=tuple(display(item.path) for item in way.paths),
        tip_oid=way.tip,
    )
