"""What a landing makes of a task's work: the tree it ends in and the commits that lead there, by strategy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.errors import Conflict
from workers.repository import authorship, merging, references
from workers.repository.authorship import Author, Change
from workers.repository.discovery import Repository
from workers.repository.git import git
from workers.repository.shadow import empty_tree
from workers.repository.target import Target
from workers.repository.transfer import has

MAX_COMMITS = 200
LEFT_OVER = "Uncommitted changes at the end of the task"


@dataclass(frozen=True)
class Made:
    """The merged tree and the commit that lands it, or what conflicts: then `commit` is "" and `tree` no result."""

    tree: str
    commit: str = ""
    conflicts: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Recipe:
    """How to land: `history` is the tip of the agent's own commits in the change's git directory, or None."""

    strategy: str
    message: str
    author: Author | None = None
    history: str | None = None


def make(repository: Repository, own: Path, change: Change, target: Target, recipe: Recipe) -> Made:
    """Merge `change` into the target and make the commit, in `own`; the user's repository is only read.

    Raises Conflict when the work is no longer stored, or has too many commits for a rebase.
    """
    if not has(own, change.head_oid):
        raise Conflict("The work of this task is no longer stored.")
    env = authorship.signature(repository, recipe.author)
    if recipe.strategy == "merge" and target.oid:
        return _merge(own, change, target, recipe, env)
    if recipe.strategy in ("merge", "rebase") and recipe.history:
        steps = _linear(own, change, target, recipe.history)
        if steps is not None:
            return _rebase(own, change, target, recipe, steps, env)
    base, theirs, *rest = merging.trees_of(
        own, change.base_oid, change.head_oid, *([target.oid] if target.oid else [])
    )
    merged = merging.replay(own, base=base, ours=rest[0] if rest else empty_tree(own), theirs=theirs)
    if merged.conflicts:
        return Made(merged.tree, conflicts=merged.conflicts)
    parents = [target.oid] if target.oid else []
    return Made(merged.tree, merging.commit(own, merged.tree, parents, recipe.message, env))


def _merge(own: Path, change: Change, target: Target, recipe: Recipe, env: dict[str, str]) -> Made:
    """A commit with two parents: the target, and the work, which is the agent's commits or one of ours."""
    if recipe.history is None:
        work = merging.commit(own, change.tree_oid, [change.base_oid], recipe.message, env)
    else:
        work = _with_rest(own, change, recipe.history, env)
    merged = merging.merge(own, target.oid, work)
    if merged.conflicts:
        return Made(merged.tree, conflicts=merged.conflicts)
    subject = recipe.message.split("\n", 1)[0]
    message = f"Merge: {recipe.message if recipe.history else subject}".rstrip() + "\n"
    return Made(merged.tree, merging.commit(own, merged.tree, [target.oid, work], message, env))


def _with_rest(own: Path, change: Change, history: str, env: dict[str, str]) -> str:
    """The agent's commits, with one more for what it had not committed."""
    if merging.tree_of(own, history) == change.tree_oid:
        return history
    message = authorship.trailed(LEFT_OVER, change.task_id)
    return merging.commit(own, change.tree_oid, [history], message, env)


def _linear(own: Path, change: Change, target: Target, history: str) -> list[tuple[str, str]] | None:
    """(commit, parent) of each commit to replay, oldest first; None where there are merges among them."""
    apart = [f"^{oid}" for oid in (change.base_oid, target.oid) if oid]
    words = ("rev-list", "--reverse", "--topo-order", "--parents", history, *apart)
    lines = [line.split(" ") for line in git(*words, git_dir=own).text.splitlines()]
    if len(lines) > MAX_COMMITS:
        raise Conflict(f"The agent made more than {MAX_COMMITS} commits: land with squash or merge.")
    if any(len(line) != 2 for line in lines):
        return None
    return [(commit, parent) for commit, parent in lines]


def _rebase(
    own: Path,
    change: Change,
    target: Target,
    recipe: Recipe,
    steps: list[tuple[str, str]],
    env: dict[str, str],
) -> Made:
    """Each commit again on the target, by its author; what the target has already makes no commit."""
    tip = target.oid
    tree = merging.tree_of(own, tip) if tip else empty_tree(own)
    raw = references.commits(own, [commit for commit, _ in steps])
    trees = merging.trees_of(own, *(oid for step in steps for oid in step)) if steps else []
    last = merging.tree_of(own, recipe.history or change.base_oid)
    changes = [
        (trees[2 * place + 1], trees[2 * place], authorship.again(raw[place] or b"", change.task_id, env))
        for place in range(len(steps))
    ]
    if last != change.tree_oid:
        changes.append((last, change.tree_oid, (recipe.message, env)))
    for base, theirs, (message, by) in changes:
        merged = merging.replay(own, base=base, ours=tree, theirs=theirs)
        if merged.conflicts:
            return Made(merged.tree, conflicts=merged.conflicts)
        if merged.tree == tree:
            continue
        tree = merged.tree
        tip = merging.commit(own, tree, [tip] if tip else [], message, by)
    return Made(tree, tip)
