"""Which repository a folder belongs to, where it stands in it, and what is checked out where."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from shared.errors import BadRequest, GitFailed
from workers import beneath
from workers.repository import git as program
from workers.repository.git import git

#: Of a file that names a folder or a branch.
MAX_POINTER_BYTES = 64 << 10
DISCOVERY = {"safe.bareRepository": "all"}
#: A file that marks a git directory of ours around a folder which is in no repository of the person's.
PLAIN = "openruntime-folder"
#: Everything `locate` wants to know, asked at once: a process each would be a quarter of a task's start.
AT_ONCE = (
    "--is-bare-repository",
    "--is-inside-work-tree",
    "--is-shallow-repository",
    "--show-object-format",
    "--absolute-git-dir",
    "--path-format=absolute",
    "--git-common-dir",
    "--show-toplevel",
    "--show-prefix",
    "HEAD^{commit}",
    "--symbolic-full-name",
    "HEAD",
)
_OID = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


@dataclass(frozen=True)
class Repository:
    """A user's repository as seen from the folder `path`. All paths are absolute.

    `prefix` is the folder inside the working tree ("" at its root, no trailing slash); `head_oid` is None in a
    repository without a commit; `branch` is None when HEAD is detached; `toplevel` is None when `bare`. `plain`: the
    person has none, and this is ours around their folder.
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
    plain: bool = False

    @property
    def landing_place(self) -> str:
        """What two landings must not work in at once: the repository, or the folder it is around."""
        return os.path.realpath(self.toplevel or self.path) if self.plain else str(self.common_dir)

    @property
    def settings(self) -> Mapping[str, str]:
        """The repository's own configuration (included files too), keys in lower case, the last value of each."""
        return self._configuration[0]

    @property
    def personal(self) -> Mapping[str, str]:
        """The user's own configuration: read for a name, an address and the ignore file, obeyed nowhere."""
        return self._configuration[1]

    @cached_property
    def _configuration(self) -> tuple[dict[str, str], dict[str, str]]:
        return configuration(self.git_dir)  # once for this object's short life


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
    done = git("rev-parse", *AT_ONCE, cwd=folder, config=DISCOVERY, check=False)
    if done.code == 0 and (found := _usual(folder, done.text.split("\n"))) is not None:
        return found
    if "not a git repository" in done.stderr:
        return None
    return _step_by_step(folder)


def _usual(folder: Path, answered: list[str]) -> Repository | None:
    """The repository as all answers at once describe it; None where a path's newline makes them ambiguous."""
    if len(answered) != len(AT_ONCE) - 2:  # two of the words answer nothing
        return None
    bare, inside, shallow, object_format, git_dir, common_dir, toplevel, prefix, oid, head = answered
    known = head == "HEAD" or head.startswith("refs/")
    if bare == "true" or inside != "true" or not known or not _OID.fullmatch(oid):
        return None
    shared = Path(os.path.realpath(common_dir))
    return Repository(
        path=folder,
        toplevel=Path(toplevel),
        prefix=prefix.rstrip("/"),
        git_dir=Path(git_dir),
        common_dir=shared,
        objects_directory=shared / "objects",
        object_format=object_format,
        head_oid=oid,
        branch=head.removeprefix("refs/heads/") if head.startswith("refs/heads/") else None,
        bare=False,
        shallow=shallow == "true",
        is_linked_worktree=os.path.realpath(git_dir) != str(shared),
    )


def _step_by_step(folder: Path) -> Repository | None:
    """What `locate` answers where some question has no answer: no commit yet, no working tree, or an odd path."""
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
        plain=(common_dir / PLAIN).is_file(),
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
            pointer = os.fsdecode(
                beneath.read_regular(admin / "gitdir", MAX_POINTER_BYTES).removesuffix(b"\n")
            )
        except OSError:
            continue
        folder = (admin / pointer).parent
        if folder.is_dir():
            found.append(Checkout(folder, admin, _branch_in(admin)))
    return tuple(found)


def configuration(git_dir: Path) -> tuple[dict[str, str], dict[str, str]]:
    """The repository's own settings and the user's, as `Repository.settings` and `Repository.personal` have them."""
    both = git(
        *("config", "--list", "--show-scope", "--includes", "-z"),
        git_dir=git_dir,
        env={"GIT_CONFIG_GLOBAL": None},
        check=False,
    )
    if both.code:  # the user's may be broken, and then obeyed nowhere all the more
        alone = git("config", "--local", "--includes", "--list", "-z", git_dir=git_dir, check=False)
        return _parsed(alone.stdout), {}
    words = both.stdout.split(b"\0")
    scoped = list(zip(words[::2], words[1::2], strict=False))
    own, personal = (
        _parsed(b"\0".join(entry for scope, entry in scoped if scope == wanted))
        for wanted in (b"local", b"global")
    )
    return own, personal


def worktree_settings(git_dir: Path) -> dict[str, str]:
    """What one checkout's own `config.worktree` says (sparse checkouts are switched on there)."""
    place = git_dir / "config.worktree"
    if not place.is_file():
        return {}
    return _parsed(git("config", "--file", place, "--list", "-z", cwd=git_dir, check=False).stdout)


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
        head = os.fsdecode(beneath.read_regular(git_dir / "HEAD", MAX_POINTER_BYTES).strip())
    except OSError:
        return None
    if head == "ref: refs/heads/.invalid":  # the reftable backend keeps HEAD elsewhere
        return head_branch(git_dir)
    return head.removeprefix("ref: refs/heads/") if head.startswith("ref: refs/heads/") else None
