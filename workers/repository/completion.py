"""Carrying a prepared landing out: repeatable, so that whoever comes after a crash finishes or refuses it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from shared.errors import Conflict, GitFailed
from workers.repository import checkout, discovery, left_locks, permissions, references
from workers.repository.discovery import Checkout, Repository, checkouts, resolve_commit
from workers.repository.locks import held

LOCK_SECONDS = 120
#: Takes an `apply` back; like it, it moves no branch.
UNAPPLY = "unapply"
UNCOMMITTED = ("apply", UNAPPLY)


@dataclass(frozen=True)
class Intent:
    """A prepared landing, or an undoing of one: everything `complete` needs, JSON-able.

    `commit_oid` lands where `previous_oid` ("": no commit yet) is now; for `apply` only its files do. Where the branch
    goes somewhere else than to the commit whose files it gets, that is `tip_oid` ("": away).
    """

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
    tip_oid: str | None = None

    @property
    def tip(self) -> str:
        """Where the branch is once this is complete."""
        return self.commit_oid if self.tip_oid is None else self.tip_oid

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


def complete(intent: Intent) -> Landed:
    """Carry a prepared landing out. Repeatable: after success it answers the same, after a crash it resumes.

    Raises LandingRefused or Conflict with the user's checkout as it was.
    """
    repository = _repository(intent)
    with alone(Path(intent.home), repository) as lock:
        return complete_held(repository, intent, lock)


def complete_held(repository: Repository, intent: Intent, lock: int) -> Landed:
    """What `complete` does, for a holder of `alone`'s lock."""
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
            branch=None if intent.strategy in UNCOMMITTED else intent.target_branch,
            scratch=scratch,
            tip=intent.tip_oid,
        )
        try:
            if intent.strategy == UNAPPLY:
                backup = checkout.take_back(repository, place, update)
            else:
                backup = checkout.perform(repository, place, update, lock)
        finally:
            permissions.give_back(place.path, scratch)
        shutil.rmtree(scratch, ignore_errors=True)
    references.delete(repository.common_dir, references.landing_ref(intent.task_id))
    return Landed(
        commit_oid=None if intent.strategy in UNCOMMITTED else intent.commit_oid,
        target_branch=intent.target_branch,
        previous_oid=intent.previous_oid,
        backup_ref=backup,
        files=intent.files,
    )


def _repository(intent: Intent) -> Repository:
    found = discovery.at(Path(intent.repository_directory))
    if found is None:
        raise Conflict(f"The repository {intent.repository_directory} is gone.")
    return found


def _move(repository: Repository, intent: Intent) -> None:
    """Move a branch nobody has checked out, if it still is where the landing was prepared for."""
    ref = f"refs/heads/{intent.target_branch}"
    tip = resolve_commit(repository.common_dir, ref)
    if references.has_arrived(repository.common_dir, tip, intent.commit_oid, intent.tip_oid):
        return
    if any(place.branch == intent.target_branch for place in checkouts(repository)):
        raise Conflict("The target branch was checked out meanwhile: look at the landing again.")
    place = repository.common_dir
    left_locks.release(place, place, str(intent.target_branch), intent.tip, place / "none")
    try:
        references.move(
            repository.common_dir,
            ref,
            intent.tip,
            intent.previous_oid,
            reason=f"openruntime: landed task {intent.task_id}",
        )
    except GitFailed as failure:
        raise references.not_moved(failure) from failure


def _place(repository: Repository, intent: Intent) -> Checkout:
    for place in checkouts(repository):
        if str(place.path) == intent.checkout_path:
            return place
    chosen = Path(str(intent.checkout_path))
    # Git itself does not know where the files are when its directory was separated from them.
    apart = discovery.locate(chosen) if chosen.is_dir() else None
    if apart is not None and (apart.toplevel, apart.git_dir) == (chosen, repository.common_dir):
        return Checkout(chosen, apart.git_dir, apart.branch)
    raise Conflict(f"The checkout {intent.checkout_path} is gone: look at the landing again.")


@contextmanager
def alone(home: Path, repository: Repository) -> Iterator[int]:
    """One landing on a repository at a time; yields the lock's descriptor."""
    with held(home.parent, f"landing {repository.landing_place}", timeout_seconds=LOCK_SECONDS) as lock:
        yield lock
