"""Names of commits: which ones a person may give, and the refs openRuntime keeps in a user's repository."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from shared.errors import BadRequest, Conflict, GitFailed, NotReady
from workers.repository import left_locks
from workers.repository.discovery import Repository, resolve_commit
from workers.repository.git import git

MAX_NAME_CHARACTERS = 250
MAX_COMMITS_BYTES = 16 << 20
MOST_BEHIND = 10_000
_UNUSABLE = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|\.lock(/|$)|/\.|\.$|/$|^[-./]|^@$")
_LOCKED = re.compile(r"Unable to create '(.+?\.lock)'")
_OURS = re.compile(r"/refs/(heads/)?openruntime/[^/]+(/[^/]+)?\.lock$")
_OID = re.compile(r"[0-9a-f]{7,64}")


def base_ref(task_id: str) -> str:
    """Pins the base commit of a task against garbage collection."""
    return f"refs/openruntime/base/{task_id}"


def recovery_ref(task_id: str) -> str:
    """The last work of a removed worktree."""
    return f"refs/openruntime/recovery/{task_id}"


def backup_ref(task_id: str) -> str:
    """A user's checkout as it was before a landing updated it."""
    return f"refs/openruntime/backup/{task_id}"


def captures_ref(task_id: str) -> str:
    """Holds the captured states of a task whose worktree was removed."""
    return f"refs/openruntime/captures/{task_id}"


def landing_ref(task_id: str) -> str:
    """Pins a prepared landing until it is complete."""
    return f"refs/openruntime/landing/{task_id}"


def resolve(repository: Repository, name: str) -> str:
    """The commit of a branch, tag, remote branch, full ref name, object id or HEAD.

    Raises BadRequest for anything else: expressions, options and names nothing has.
    """
    if not name or len(name) > MAX_NAME_CHARACTERS or _UNUSABLE.search(name) or not name.isprintable():
        raise BadRequest(f"{name!r} is not a branch, tag or commit id.")
    if name == "HEAD":
        candidates = ["HEAD"]
    else:
        candidates = [f"{place}{name}" for place in ("refs/heads/", "refs/tags/", "refs/remotes/")]
        if name.startswith("refs/"):
            candidates.append(name)
        if _OID.fullmatch(name.lower()):
            candidates.append(name.lower())
    for candidate in candidates:
        oid = resolve_commit(repository.git_dir, candidate)
        if oid:
            return oid
    raise BadRequest(f"{name!r} is not a branch, tag or commit of this repository.")


def commits(git_dir: Path, names: Sequence[str]) -> list[bytes | None]:
    """The commits that full ref names or object ids stand for, as git stores them; None for what is none.

    One process for all of them. Raises NotReady when they are unusually large.
    """
    asked = b"".join(os.fsencode(f"{name}^{{commit}}\n") for name in names)
    done = git("cat-file", "--batch", git_dir=git_dir, input=asked, max_bytes=MAX_COMMITS_BYTES)
    if done.truncated:
        raise NotReady(f"A commit here is larger than {MAX_COMMITS_BYTES >> 20} MiB: start from another one.")
    printed = done.stdout
    found: list[bytes | None] = []
    for _ in names:
        head, _, printed = printed.partition(b"\n")
        words = head.split(b" ")
        if len(words) != 3 or words[1] != b"commit":
            found.append(None)
            continue
        size = int(words[2])
        found.append(printed[:size])
        printed = printed[size + 1 :]
    return found


def branch_name(name: str) -> str:
    """`name` when it can be a branch; raises BadRequest otherwise."""
    if not name or len(name) > MAX_NAME_CHARACTERS or _UNUSABLE.search(name) or not name.isprintable():
        raise BadRequest(f"{name!r} is not a branch name.")
    return name


def update(git_dir: Path, name: str, new: str, old: str | None = None, *, reason: str = "") -> None:
    """Point a ref at `new`; with `old`, only if it stands there now. Raises GitFailed otherwise."""
    words = ["update-ref", "--create-reflog", "-m", reason] if reason else ["update-ref"]
    _write(git_dir, *words, name, new, *([old] if old is not None else []))


def _write(git_dir: Path, *words: str, input: bytes | None = None) -> None:
    """Once more where a killed git of ours had left a lock on a ref in our own namespace."""
    try:
        git(*words, git_dir=git_dir, input=input)
    except GitFailed as failure:
        locked = _LOCKED.search(failure.stderr)
        if locked is None or not _OURS.search(locked[1]):
            raise
        left_locks.release_stale(Path(locked[1]))
        git(*words, git_dir=git_dir, input=input)


def keep(git_dir: Path, name: str, oid: str) -> None:
    """Point a ref of ours at what is kept for a while; its reflog says since when."""
    update(git_dir, name, oid, reason="openruntime: kept")


def move(git_dir: Path, name: str, new: str, old: str, *, reason: str) -> None:
    """Move a ref from `old` to `new`, "" being nowhere in both. Raises GitFailed when it stands elsewhere."""
    if new:
        update(git_dir, name, new, old or "0" * len(new), reason=reason)
    else:
        git("update-ref", "-m", reason, "-d", name, old, git_dir=git_dir)


def not_moved(failure: GitFailed) -> Conflict:
    """Why a branch did not move, in words."""
    locked = _LOCKED.search(failure.stderr)
    if locked:
        return Conflict(f"The branch is locked by another git command, or by one that crashed: {locked[1]}.")
    return Conflict("The target branch has moved: look at the landing again.")


def has_arrived(git_dir: Path, tip: str | None, landed: str, moved_to: str | None) -> bool:
    """Whether a branch at `tip` (None: it is gone) has got what was to land: the commit `landed`, or everything after
    it too; where the branch was to go to `moved_to` instead, exactly that ("": away)."""
    if moved_to is not None:
        return (tip or "") == moved_to
    words = ("merge-base", "--is-ancestor", landed, tip or "")
    return bool(tip) and git(*words, git_dir=git_dir, check=False).code == 0


def behind(git_dir: Path, base: str, tip: str) -> int:
    """How many commits `tip` has that `base` does not, counted up to `MOST_BEHIND`; 0 where either is not there."""
    words = ("rev-list", "--count", f"--max-count={MOST_BEHIND}", tip, f"^{base}")
    counted = git(*words, git_dir=git_dir, check=False) if tip else None
    return int(counted.stdout) if counted is not None and counted.code == 0 else 0


def create(git_dir: Path, branch: str, pin: str, oid: str) -> None:
    """Make a ref that is not there yet, and with it `pin` wherever that stands. Raises GitFailed; then neither moved."""
    orders = f"create {branch} {oid}\nupdate {pin} {oid}\n"
    _write(git_dir, "update-ref", "--stdin", input=orders.encode())


def delete(git_dir: Path, name: str, old: str | None = None) -> bool:
    """Delete a ref (with `old`: only if it stands there); False when that could not be done."""
    return git("update-ref", "-d", name, *([old] if old else []), git_dir=git_dir, check=False).code == 0
