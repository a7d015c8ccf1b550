"""Which repository a folder belongs to, where it stands in it, and what is checked out where."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from shared.errors import BadRequest, GitFailed
from workers.repository import git as program
from workers.repository.git import git

DISCOVERY = {"safe.bareRepository": "all"}


@dataclass(frozen=True)
class Repository:
    """A user's repository as seen from the folder `path`. All paths are absolute.

    `prefix` is the folder inside the working tree ("" at its root, no trailing slash); `head_oid` is None in a
    repository without a commit; `branch` is None when HEAD is detached; `toplevel` is None when `bare`.
    """

    path: Path
    toplevel: Path | None
    prefix: str
    git_dir: Path
    common_dir: Path
    objects_directory: Path
    object_format: str
    head_oid: str | None
    branch: str | None
    bare: bool
    shallow: bool
    is_linked_worktree: bool
    dirty: bool = False

    @cached_property
    def settings(self) -> Mapping[str, str]:
        """The repository's own configuration as `settings` reads it, read once for this object's short life."""
        return settings(self)


@dataclass(frozen=True)
class Checkout:
    """One working tree of a repository: its folder, its own git directory, and its branch (None: detached)."""

    path: Path
    git_dir: Path
    branch: str | None


def locate(path: Path | str) -> Repository | None:
    """Describe the repository that holds the folder `path`; None when it is in none.

    Raises BadRequest when the folder is missing or lies inside a git directory.
    """
    program.version()
    folder = Path(os.path.abspath(path))
    if not folder.is_dir():
        raise BadRequest(f"{folder} is not an existing directory.")
    flags = (
        "--is-bare-repository",
        "--is-inside-work-tree",
        "--is-shallow-repository",
        "--show-object-format",
    )
    try:
        answered = _ask(folder, *flags).split("\n")
    except GitFailed as failure:
        if "not a git repository" in failure.stderr:
            return None
        raise
    bare, inside, shallow = (word == "true" for word in answered[:3])
    if not bare and not inside:
        raise BadRequest(f"{folder} is inside a git directory: choose the folder that holds the files.")
    git_dir = Path(_ask(folder, "--absolute-git-dir"))
    common_dir = Path(os.path.realpath(_ask(folder, "--path-format=absolute", "--git-common-dir")))
    return Repository(
        path=folder,
        toplevel=None if bare else Path(_ask(folder, "--show-toplevel")),
        prefix="" if bare else _ask(folder, "--show-prefix").rstrip("/"),
        git_dir=git_dir,
        common_dir=common_dir,
        objects_directory=common_dir / "objects",
        object_format=answered[3],
        head_oid=resolve_commit(git_dir, "HEAD"),
        branch=head_branch(git_dir),
        bare=bare,
        shallow=shallow,
        is_linked_worktree=os.path.realpath(git_dir) != str(common_dir),
    )


def at(common_dir: Path) -> Repository | None:
    """The repository whose shared git directory this is, seen from its main working tree; None when it is gone."""
    if not (common_dir / "HEAD").is_file():
        return None
    flags = ("--is-bare-repository", "--is-shallow-repository", "--show-object-format")
    bare, shallow, object_format = git("rev-parse", *flags, git_dir=common_dir).text.split("\n")
    found = Repository(
        path=common_dir,
        toplevel=None,
        prefix="",
        git_dir=common_dir,
        common_dir=common_dir,
        objects_directory=common_dir / "objects",
        object_format=object_format,
        head_oid=resolve_commit(common_dir, "HEAD"),
        branch=head_branch(common_dir),
        bare=bare == "true",
        shallow=shallow == "true",
        is_linked_worktree=False,
    )
    main = None if found.bare else _main_folder(found)
    return replace(found, toplevel=main, path=main or common_dir)


def resolve_commit(git_dir: Path, name: str) -> str | None:
    """The commit a full ref name or object id stands for, or None."""
    done = git(
        "rev-parse",
        "--verify",
        "--quiet",
        "--end-of-options",
        f"{name}^{{commit}}",
        git_dir=git_dir,
        check=False,
    )
    return done.text if done.code == 0 else None


def head_branch(git_dir: Path) -> str | None:
    """The branch HEAD of this git directory is on (it may have no commit yet), or None when detached."""
    target = git("symbolic-ref", "--quiet", "HEAD", git_dir=git_dir, check=False).text
    return target.removeprefix("refs/heads/") if target.startswith("refs/heads/") else None


def checkouts(repository: Repository) -> tuple[Checkout, ...]:
    """Every existing working tree of the repository: the main one first, then the linked ones.

    Read from the repository's own administrative files, not from the working trees: those an agent may have changed.
    """
    found = []
    main = _main_folder(repository)
    if main is not None and main.is_dir():
        found.append(Checkout(main, repository.common_dir, _branch_in(repository.common_dir)))
    for admin in sorted(_listed(repository.common_dir / "worktrees")):
        try:
            pointer = os.fsdecode((admin / "gitdir").read_bytes().removesuffix(b"\n"))
        except OSError:
            continue
        folder = (admin / pointer).parent
        if folder.is_dir():
            found.append(Checkout(folder, admin, _branch_in(admin)))
    return tuple(found)


def settings(repository: Repository) -> dict[str, str]:
    """The repository's own configuration (included files too), keys in lower case, the last value of each."""
    return _parsed(
        git("config", "--local", "--includes", "--list", "-z", git_dir=repository.git_dir, check=False).stdout
    )


def worktree_settings(git_dir: Path) -> dict[str, str]:
    """What one checkout's own `config.worktree` says (sparse checkouts are switched on there)."""
    place = git_dir / "config.worktree"
    if not place.is_file():
        return {}
    return _parsed(git("config", "--file", place, "--list", "-z", cwd=git_dir, check=False).stdout)


def personal_settings() -> dict[str, str]:
    """The user's own configuration: read for a name, an address and the ignore file, obeyed nowhere."""
    env = {"GIT_CONFIG_GLOBAL": None}
    return _parsed(
        git("config", "--global", "--includes", "--list", "-z", env=env, cwd=Path("/"), check=False).stdout
    )


def _ask(folder: Path, *flags: str) -> str:
    return git("rev-parse", *flags, cwd=folder, config=DISCOVERY).text


def _parsed(listing: bytes) -> dict[str, str]:
    found = {}
    for entry in filter(None, listing.split(b"\0")):
        key, separator, value = entry.partition(b"\n")
        found[os.fsdecode(key)] = os.fsdecode(value) if separator else "true"
    return found


def _main_folder(repository: Repository) -> Path | None:
    if repository.toplevel is not None and not repository.is_linked_worktree:
        return repository.toplevel
    chosen = repository.settings
    if chosen.get("core.worktree"):
        return Path(os.path.realpath(repository.common_dir / chosen["core.worktree"]))
    if chosen.get("core.bare", "").lower() == "true" or repository.common_dir.name != ".git":
        return None
    return repository.common_dir.parent


def _listed(folder: Path) -> list[Path]:
    try:
        return [Path(entry.path) for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def _branch_in(git_dir: Path) -> str | None:
    try:
        head = os.fsdecode((git_dir / "HEAD").read_bytes().strip())
    except OSError:
        return None
    if head == "ref: refs/heads/.invalid":  # the reftable backend keeps HEAD elsewhere
        return head_branch(git_dir)
    return head.removeprefix("ref: refs/heads/") if head.startswith("ref: refs/heads/") else None
