"""Where a landing goes: the branch, its commit, and the checkout that has it, if one has."""

from __future__ import annotations

import os
from dataclasses import dataclass

from shared.errors import BadRequest, Conflict, NotReady
from workers.repository import references
from workers.repository.discovery import Checkout, Repository, checkouts, resolve_commit

STRATEGIES = ("squash", "merge", "rebase", "apply")
UNBORN_OID = ""


@dataclass(frozen=True)
class Target:
    """`oid` is "" for a branch without a commit; `place` None when no checkout is on it."""

    branch: str | None
    oid: str
    place: Checkout | None


def choose(repository: Repository, name: str | None, strategy: str) -> Target:
    """The target of a landing. Raises NotReady in one sentence when a person must choose, BadRequest for bad words."""
    if strategy not in STRATEGIES:
        raise BadRequest(f"The strategy must be one of {', '.join(STRATEGIES)}, not {strategy!r}.")
    if repository.plain:
        return _folder(repository, strategy)
    if strategy == "apply":
        return _workspace(repository, name)
    if not name:
        raise NotReady("This task did not start on a branch: choose the branch to land on.")
    branch = references.branch_name(name)
    oid = resolve_commit(repository.git_dir, f"refs/heads/{branch}")
    places = [place for place in checkouts(repository) if place.branch == branch]
    if oid is None and not places:
        raise NotReady(f"There is no branch {branch!r} in this repository: choose another to land on.")
    if len(places) > 1:
        folders = ", ".join(str(place.path) for place in places)
        raise NotReady(
            f"Branch {branch!r} is checked out more than once ({folders}): leave it in all but one."
        )
    return Target(branch, oid or UNBORN_OID, places[0] if places else None)


def _workspace(repository: Repository, name: str | None) -> Target:
    """For `apply`: the workspace's own checkout, on whatever it is."""
    if repository.toplevel is None:
        raise NotReady("A bare repository has no files to apply to: land with another strategy.")
    top = os.path.realpath(repository.toplevel)
    for place in checkouts(repository):
        if os.path.realpath(place.path) == top:
            if name and place.branch != name:
                raise NotReady(
                    f"The workspace is not on branch {name!r}: check it out, or use another strategy."
                )
            return Target(place.branch, resolve_commit(place.git_dir, "HEAD") or UNBORN_OID, place)
    raise NotReady("The workspace is not a checkout of this repository any more.")


def _folder(repository: Repository, strategy: str) -> Target:
    """A folder without git, as it was when the task began."""
    if strategy != "apply":
        raise Conflict(
            f"The folder {repository.toplevel} is in no git repository: the work lands there by the strategy `apply` alone."
        )
    for place in checkouts(repository):
        return Target(None, resolve_commit(place.git_dir, "HEAD") or UNBORN_OID, place)
    raise NotReady(f"The folder {repository.toplevel} is gone.")
