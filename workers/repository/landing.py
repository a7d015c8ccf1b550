"""Landing a captured change on a branch of the user's: looked at first, prepared off-tree, then done in one step."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from shared.errors import Conflict, GitFailed, LandingRefused
from workers.repository import blocking, checkout, discovery, references
from workers.repository.authorship import Change, clean_message
from workers.repository.difference import Touched, touched
from workers.repository.discovery import Checkout, Repository, checkouts, resolve_commit
from workers.repository.git import git
from workers.repository.locks import held
from workers.repository.shadow import empty_tree, shadow
from workers.repository.snapshot import display
from workers.repository.strategies import Recipe, make
from workers.repository.target import Target, choose
from workers.repository.transfer import has, send

ATTEMPTS = 5
LOCK_SECONDS = 120


@dataclass(frozen=True)
class Preview:
    """What a landing would meet now. `target_oid` is "" for a branch without a commit; `checked_out_at` the folder
    where the target branch is checked out, or None; `files` the paths that would change."""

    clean: bool
    conflicts: tuple[dict[str, Any], ...]
    blocking: tuple[dict[str, str], ...]
    head_oid: str
    target_oid: str
    target_branch: str | None
    checked_out_at: str | None
    files: tuple[str, ...]


@dataclass(frozen=True)
class Intent:
    """A prepared landing: everything `complete` needs, JSON-able. `commit_oid` lands where `previous_oid` ("": no
    commit yet) is now; for `apply` only its files do."""

    task_id: str
    strategy: str
    target_branch: str | None
    previous_oid: str
    commit_oid: str
    head_oid: str
    repository_directory: str
    home: str
    checkout_path: str | None
    files: tuple[str, ...]

    def to_json(self) -> str:
        """As text that `from_json` reads back."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Intent:
        values = json.loads(text)
        return cls(**{**values, "files": tuple(values["files"])})


@dataclass(frozen=True)
class Landed:
    """A finished landing. `commit_oid` is None for `apply`; `backup_ref` keeps the checkout as it was, when there
    was one to update."""

    commit_oid: str | None
    target_branch: str | None
    previous_oid: str
    backup_ref: str | None
    files: tuple[str, ...]


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
        waiting = _blocking(repository, target, paths)
        return Preview(
            clean=not made.conflicts and not waiting,
            conflicts=made.conflicts,
            blocking=tuple(waiting),
            head_oid=change.head_oid,
            target_oid=target.oid,
            target_branch=target.branch,
            checked_out_at=str(target.place.path) if target.place else None,
            files=tuple(display(item.path) for item in paths),
        )


def land(
    repository: Repository,
    change: Change,
    *,
    recipe: Recipe,
    target_branch: str | None,
    expected_head: str | None = None,
    expected_target: str | None = None,
    record: Callable[[Intent], None] | None = None,
) -> Landed:
    """Prepare and complete in one go; `record` is told the intent in between, so that a crash can be resumed.

    Landings on one repository wait for each other. A target somebody else moves meanwhile is tried again five times.
    Raises LandingRefused with `conflicts` and `blocking`, Conflict for a moved head or target or when nothing
    would change, NotReady when a target must be chosen, BadRequest for an unusable strategy or message.
    """
    with _alone(change.git_directory.parent, repository.common_dir) as lock:
        for attempt in range(1, ATTEMPTS + 1):
            intent = prepare(
                repository,
                change,
                recipe=recipe,
                target_branch=target_branch,
                expected_head=expected_head,
                expected_target=expected_target,
            )
            if record is not None:
                record(intent)
            try:
                return _complete(intent, lock)
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
) -> Intent:
    """Make the commit to land and put it into the user's repository; no branch and no file of theirs changes.

    Raises as `land` does.
    """
    recipe = replace(recipe, message=clean_message(recipe.message))
    target = choose(repository, target_branch, recipe.strategy)
    if expected_head is not None and expected_head != change.head_oid:
        raise Conflict(
            "The task's work has changed since it was shown: review it again.", head_oid=change.head_oid
        )
    if expected_target is not None and expected_target != target.oid:
        raise Conflict(
            "The target branch has moved since it was shown: review it again.", target_oid=target.oid
        )
    with _workshop(repository, change) as own:
        made = make(repository, own, change, target, recipe)
        if made.conflicts:
            names = ", ".join(item["path"] for item in made.conflicts[:3])
            raise LandingRefused(
                f"The change conflicts with the target in {names}.",
                conflicts=list(made.conflicts),
                blocking=[],
            )
        paths = _touched(own, target, made.tree)
        if not paths:
            raise Conflict("There are no changes to land: the target has them already.")
        waiting = _blocking(repository, target, paths)
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


def complete(intent: Intent) -> Landed:
    """Carry a prepared landing out. Repeatable: after success it answers the same, after a crash it resumes.

    Raises LandingRefused or Conflict with the user's checkout as it was.
    """
    with _alone(Path(intent.home), Path(intent.repository_directory)) as lock:
        return _complete(intent, lock)


def _complete(intent: Intent, lock: int) -> Landed:
    repository = discovery.at(Path(intent.repository_directory))
    if repository is None:
        raise Conflict(f"The repository {intent.repository_directory} is gone.")
    backup = None
    if intent.checkout_path is None:
        _move(repository, intent)
    else:
        place = _place(repository, intent)
        scratch = Path(intent.home) / "landing"
        update = checkout.Update(
            task_id=intent.task_id,
            old=intent.previous_oid or None,
            new=intent.commit_oid,
            branch=None if intent.strategy == "apply" else intent.target_branch,
            scratch=scratch,
        )
        backup = checkout.perform(repository, place, update, lock)
        shutil.rmtree(scratch, ignore_errors=True)
    references.delete(repository.common_dir, references.landing_ref(intent.task_id))
    return Landed(
        commit_oid=None if intent.strategy == "apply" else intent.commit_oid,
        target_branch=intent.target_branch,
        previous_oid=intent.previous_oid,
        backup_ref=backup,
        files=intent.files,
    )


def _move(repository: Repository, intent: Intent) -> None:
    """Move a branch nobody has checked out, if it still is where the landing was prepared for."""
    ref = f"refs/heads/{intent.target_branch}"
    tip = resolve_commit(repository.common_dir, ref)
    words = ("merge-base", "--is-ancestor", intent.commit_oid, tip or "")
    if tip and git(*words, git_dir=repository.common_dir, check=False).code == 0:
        return
    if any(place.branch == intent.target_branch for place in checkouts(repository)):
        raise Conflict("The target branch was checked out meanwhile: look at the landing again.")
    try:
        references.update(
            repository.common_dir,
            ref,
            intent.commit_oid,
            intent.previous_oid or "0" * len(intent.commit_oid),
            reason=f"openruntime: landed task {intent.task_id}",
        )
    except GitFailed as failure:
        raise Conflict("The target branch has moved: look at the landing again.") from failure


def _place(repository: Repository, intent: Intent) -> Checkout:
    for place in checkouts(repository):
        if str(place.path) == intent.checkout_path:
            return place
    raise Conflict(f"The checkout {intent.checkout_path} is gone: look at the landing again.")


def _touched(own: Path, target: Target, tree: str) -> tuple[Touched, ...]:
    return touched(own, target.oid or empty_tree(own), tree)


def _blocking(repository: Repository, target: Target, paths: tuple[Touched, ...]) -> list[blocking.Item]:
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


@contextmanager
def _alone(home: Path, common_dir: Path) -> Iterator[int]:
    with held(home.parent, f"landing {common_dir}", timeout_seconds=LOCK_SECONDS) as lock:
        yield lock
