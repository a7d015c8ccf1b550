"""Landing a captured change on a branch of the user's: looked at first, prepared off-tree, then done in one step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from shared.errors import Conflict, LandingRefused
from workers.repository import blocking, references
from workers.repository.authorship import Change, clean_message
from workers.repository.completion import Intent, Landed, alone, complete_held
from workers.repository.difference import Touched, touched
from workers.repository.discovery import Repository
from workers.repository.shadow import empty_tree, shadow
from workers.repository.snapshot import display
from workers.repository.strategies import Recipe, make
from workers.repository.target import Target, choose
from workers.repository.transfer import has, send

ATTEMPTS = 5


class OtherTree(Conflict):
    """The landing would make another tree than the one that was checked."""


@dataclass(frozen=True)
class Preview:
    """What a landing would meet now. `target_oid` is "" for a branch without a commit; `checked_out_at` the folder
    where the target branch is checked out, or None; `files` the paths that would change; `tree_oid` the merged tree and
    `commit_oid` a commit of ours with it, in the change's git directory (both "" where it conflicts)."""

    clean: bool
    conflicts: tuple[dict[str, Any], ...]
    blocking: tuple[dict[str, str], ...]
    head_oid: str
    target_oid: str
    target_branch: str | None
    checked_out_at: str | None
    files: tuple[str, ...]
    tree_oid: str
    commit_oid: str


def preview(
    repository: Repository,
    change: Change,
    *,
    target_branch: str | None,
    strategy: str = "squash",
    history: str | None = None,
) -> Preview:
    """What landing `change` would meet, without writing anything to the user's repository.

    `history` is as for `land`. Raises NotReady when a target branch must be chosen first.
    """
    target = choose(repository, target_branch, strategy)
    with _workshop(repository, change) as own:
        made = make(repository, own, change, target, Recipe(strategy, "Preview\n", history=history))
        paths = () if made.conflicts else _touched(own, target, made.tree)
        waiting = in_the_way(repository, target, paths)
        return Preview(
            clean=not made.conflicts and not waiting,
            conflicts=made.conflicts,
            blocking=tuple(waiting),
            head_oid=change.head_oid,
            target_oid=target.oid,
            target_branch=target.branch,
            checked_out_at=str(target.place.path) if target.place else None,
            files=tuple(display(item.path) for item in paths),
            tree_oid="" if made.conflicts else made.tree,
            commit_oid=made.commit,
        )


def land(
    repository: Repository,
    change: Change,
    *,
    recipe: Recipe,
    target_branch: str | None,
    expected_head: str | None = None,
    expected_target: str | None = None,
    expected_tree: str | None = None,
    record: Callable[[Intent], None] | None = None,
) -> Landed:
    """Prepare and complete in one go; `record` is told the intent in between, so that a crash can be resumed.

    Landings on one repository wait for each other. A target somebody else moves meanwhile is tried again five times.
    Raises LandingRefused with `conflicts` and `blocking`, Conflict for a moved head or target or when nothing
    would change, NotReady when a target must be chosen, BadRequest for an unusable strategy or message.
    """
    with alone(change.git_directory.parent, repository) as lock:
        for attempt in range(1, ATTEMPTS + 1):
            intent = prepare(
                repository,
                change,
                recipe=recipe,
                target_branch=target_branch,
                expected_head=expected_head,
                expected_target=expected_target,
                expected_tree=expected_tree,
            )
            if record is not None:
                record(intent)
            try:
                return complete_held(repository, intent, lock)
            except LandingRefused:
                raise
            except Conflict:
                if attempt == ATTEMPTS:
                    raise
        raise AssertionError


def prepare(
    repository: Repository,
    change: Change,
    *,
    recipe: Recipe,
    target_branch: str | None,
    expected_head: str | None = None,
    expected_target: str | None = None,
    expected_tree: str | None = None,
) -> Intent:
    """Make the commit to land and put it into the user's repository; no branch and no file of theirs changes.

    Raises as `land` does.
    """
    recipe = replace(recipe, message=clean_message(recipe.message))
    target = choose(repository, target_branch, recipe.strategy)
    require_as_shown(change.head_oid, target.oid, expected_head, expected_target)
    with _workshop(repository, change) as own:
        made = make(repository, own, change, target, recipe)
        if made.conflicts:
            names = ", ".join(item["path"] for item in made.conflicts[:3])
            raise LandingRefused(
                f"The change conflicts with the target in {names}.",
                conflicts=list(made.conflicts),
                blocking=[],
            )
        if expected_tree not in (None, made.tree):
            raise OtherTree("The target branch has moved, and with it what would land.")
        paths = _touched(own, target, made.tree)
        if not paths:
            raise Conflict("There are no changes to land: the target has them already.")
        waiting = in_the_way(repository, target, paths)
        if waiting:
            names = ", ".join(item["path"] for item in waiting[:3])
            raise LandingRefused(
                f"Something of yours is in the way: {names}.", conflicts=[], blocking=waiting
            )
        known = tuple(oid for oid in (target.oid, change.base_oid) if oid and has(repository.git_dir, oid))
        send(made.commit, own, repository.common_dir, known=known)
    references.update(repository.common_dir, references.landing_ref(change.task_id), made.commit)
    return Intent(
        task_id=change.task_id,
        strategy=recipe.strategy,
        target_branch=target.branch,
        previous_oid=target.oid,
        commit_oid=made.commit,
        head_oid=change.head_oid,
        repository_directory=str(repository.common_dir),
        home=str(change.git_directory.parent),
        checkout_path=str(target.place.path) if target.place else None,
        files=tuple(display(item.path) for item in paths),
    )


def _touched(own: Path, target: Target, tree: str) -> tuple[Touched, ...]:
    return touched(own, target.oid or empty_tree(own), tree)


def require_as_shown(head: str, target: str, expected_head: str | None, expected_target: str | None) -> None:
    """Raise Conflict when work or target are not what a person was shown (None: they were shown nothing)."""
    if expected_head not in (None, head):
        raise Conflict("The task's work has changed since it was shown: review it again.", head_oid=head)
    if expected_target not in (None, target):
        raise Conflict("The target branch has moved since it was shown: review it again.", target_oid=target)


def in_the_way(repository: Repository, target: Target, paths: tuple[Touched, ...]) -> list[blocking.Item]:
    """What of the user's would be overwritten or disturbed by changing these paths at the target."""
    found = blocking.rebasing(repository, target.branch) if target.branch else []
    if target.place is None:
        return found
    found += [item for item in blocking.under_way(target.place.git_dir) if item not in found]
    with shadow(repository, target.place.git_dir) as own:
        return found + blocking.find(repository, target.place, own, target.oid or None, paths)


@contextmanager
def _workshop(repository: Repository, change: Change) -> Iterator[Path]:
    """Our git directory to merge in: the capture's, or after a cleanup a throw-away one over the user's objects."""
    if (change.git_directory / "HEAD").is_file():
        yield change.git_directory
        return
    with shadow(repository) as own:
        yield own
