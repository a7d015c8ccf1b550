"""Updating a user's checkout to a prepared commit: all of it or nothing, also across a crash.

The user's index is locked the way git locks it, but by a hard link to a file of ours: after a crash the lock is
provably ours. Files are written by `git merge --ff-only --no-overwrite-ignore` in a git directory of our own, with a
copy of the index; so no hook and no filter runs, and the user's index changes in one rename at the end.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.errors import Conflict, GitFailed, LandingRefused, Refused
from workers.repository import blocking, left_locks, merging, permissions, references, snapshot
from workers.repository.difference import Touched, touched
from workers.repository.discovery import Checkout, Repository, head_branch, resolve_commit
from workers.repository.git import git
from workers.repository.putting_back import differing, matches, put_back
from workers.repository.shadow import empty_tree, line_endings, shadow
from workers.repository.transfer import send

UPDATE_SECONDS = 600


@dataclass(frozen=True)
class Update:
    """What to do to one checkout: bring it from `old` (None: no commit yet) to `new`.

    `branch` is moved along; None leaves HEAD and index alone, so that the difference stays uncommitted. `tip` is where
    it goes when that is not `new` ("": away). `scratch` is a folder of ours that survives a crash.
    """

    task_id: str
    old: str | None
    new: str
    branch: str | None
    scratch: Path
    tip: str | None = None

    @property
    def arrival(self) -> str:
        """Where the branch goes."""
        return self.new if self.tip is None else self.tip

    @property
    def index(self) -> Path:
        return self.scratch / "landing-index"


def perform(repository: Repository, checkout: Checkout, update: Update, lock: int) -> str | None:
    """Update the checkout and return the name of the ref that keeps what was uncommitted in it, None when nothing
    was. Repeatable after a crash.

    `lock` is a held lock's descriptor; git inherits it, so that nobody resumes while a left-over git still writes.
    Raises LandingRefused when anything of the user's overlaps, Conflict when the checkout has moved.
    """
    update.scratch.mkdir(parents=True, exist_ok=True)
    with shadow(repository, checkout.git_dir) as own:
        before = update.old or empty_tree(own)
        paths = touched(own, before, update.new)
        marker = _marker(checkout, update)
        if _is_ours(checkout, marker) and _recover(repository, checkout, update, own, paths):
            return _kept(repository, update)
        marker.unlink(missing_ok=True)
        if _is_done(repository, checkout, update, own, paths):
            return _kept(repository, update)
        _lock(checkout, marker)
        try:
            _refuse_if_moved(checkout, update)
            in_the_way = blocking.find(repository, checkout, own, update.old, paths)
            if in_the_way:
                raise LandingRefused(
                    "Uncommitted work is in the way of this landing.", conflicts=[], blocking=in_the_way
                )
            _back_up(repository, checkout, update, own)
            if repository.plain:
                permissions.remember(checkout.path, paths, update.scratch)
            _write_files(repository, checkout, update, own, paths, lock)
            _stage(update, marker)
            _move_branch(repository, checkout, update, own, paths)
        except Refused:
            _unlock(checkout, marker)
            raise
        except OSError as failure:
            _recover(repository, checkout, update, own, paths)
            raise _not_updated(str(failure)) from failure
        except BaseException:
            _recover(repository, checkout, update, own, paths)
            raise
        _install(checkout, update, marker)
    return _kept(repository, update)


def take_back(repository: Repository, checkout: Checkout, update: Update) -> str | None:
    """Undo an update that moved no branch: the files it changed get their old content; returns as `perform` does.

    Repeatable after a crash. Raises LandingRefused when any of them was staged or edited since, Conflict when HEAD moved.
    """
    with shadow(repository, checkout.git_dir) as own:
        paths = touched(own, update.old or empty_tree(own), update.new)
        marker = _marker(checkout, update)
        if not _is_ours(checkout, marker):
            marker.unlink(missing_ok=True)
            if not differing(repository, checkout, own, paths, old=True):
                return _kept(repository, update)
            _lock(checkout, marker)
            try:
                _refuse_if_moved(checkout, update)
                in_the_way = blocking.find_after_apply(repository, checkout, own, update.old, paths)
                if in_the_way:
                    raise LandingRefused(
                        "The applied edits were changed since: they cannot be taken back.",
                        conflicts=[],
                        blocking=in_the_way,
                    )
                _back_up(repository, checkout, update, own)
            except BaseException:
                _unlock(checkout, marker)
                raise
        if repository.plain:
            permissions.remember(checkout.path, paths, update.scratch)
        try:
            put_back(repository, checkout, own, paths)
        finally:
            _unlock(checkout, marker)
    return _kept(repository, update)


def _kept(repository: Repository, update: Update) -> str | None:
    backup = references.backup_ref(update.task_id)
    return backup if resolve_commit(repository.git_dir, backup) else None


def _recover(
    repository: Repository, checkout: Checkout, update: Update, own: Path, paths: Sequence[Touched]
) -> bool:
    """Finish or take back what a crash interrupted; True when the landing turns out to be complete."""
    marker = _marker(checkout, update)
    if update.branch:
        left_locks.release(checkout.git_dir, repository.common_dir, update.branch, update.arrival, marker)
    if update.branch and _tip(checkout, update) == update.arrival:
        _install(checkout, update, marker)
        return True
    try:
        put_back(repository, checkout, own, paths)
    except Conflict:
        _unlock(checkout, marker)
        raise
    _unlock(checkout, marker)
    return False


def _is_done(
    repository: Repository, checkout: Checkout, update: Update, own: Path, paths: Sequence[Touched]
) -> bool:
    if update.branch is None:
        return matches(repository, checkout, own, paths)
    return references.has_arrived(checkout.git_dir, _tip(checkout, update) or None, update.new, update.tip)


def _tip(checkout: Checkout, update: Update) -> str:
    return resolve_commit(checkout.git_dir, f"refs/heads/{update.branch}") or ""


def _marker(checkout: Checkout, update: Update) -> Path:
    return checkout.git_dir / f"openruntime-{update.task_id}.lock"


def _is_ours(checkout: Checkout, marker: Path) -> bool:
    try:
        return os.path.samefile(marker, checkout.git_dir / "index.lock")
    except OSError:
        return False


def _lock(checkout: Checkout, marker: Path) -> None:
    descriptor = os.open(marker, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        index = checkout.git_dir / "index"
        if index.exists():
            found = index.stat()
            os.fchmod(descriptor, found.st_mode & 0o777)
            if os.geteuid() == 0:
                os.fchown(descriptor, found.st_uid, found.st_gid)
    finally:
        os.close(descriptor)
    try:
        os.link(marker, checkout.git_dir / "index.lock")
        waiting = [
            item for item in blocking.under_way(checkout.git_dir) if item["path"] != blocking.INDEX_LOCK
        ]
    except FileExistsError:
        waiting = [blocking.index_lock(checkout.git_dir)]
    if waiting:
        _unlock(checkout, marker)
        raise LandingRefused(f"The checkout is busy: {waiting[0]['why']}.", conflicts=[], blocking=waiting)


def _unlock(checkout: Checkout, marker: Path) -> None:
    if _is_ours(checkout, marker):
        (checkout.git_dir / "index.lock").unlink()
    marker.unlink(missing_ok=True)


def _refuse_if_moved(checkout: Checkout, update: Update) -> None:
    moved = resolve_commit(checkout.git_dir, "HEAD") != update.old
    if moved or (update.branch and head_branch(checkout.git_dir) != update.branch):
        raise Conflict("The target branch has moved: look at the landing again.")


def _back_up(repository: Repository, checkout: Checkout, update: Update, own: Path) -> None:
    """Keep the whole uncommitted state under a ref, in the form of a stash: `git stash apply REF` brings it back."""
    index = own / "backup-index"
    if (checkout.git_dir / "index").is_file():
        shutil.copy2(checkout.git_dir / "index", index)
    config = line_endings(repository)
    staged = git("write-tree", git_dir=own, work_tree=checkout.path, index=index, config=config).text
    found = snapshot.take(own, checkout.path, index, config=config)
    if update.old and {staged, found.tree} == {merging.tree_of(own, update.old)}:
        references.delete(repository.common_dir, references.backup_ref(update.task_id))
        return  # nothing is uncommitted: the branch's own history is the backup
    head = [update.old] if update.old else []
    words = f"Before the landing of task {update.task_id}"
    parents = [*head, merging.commit(own, staged, head, f"{words}: index")]
    backup = merging.commit(own, found.tree, parents, words)
    send(backup, own, repository.common_dir, known=tuple(head))
    references.keep(repository.common_dir, references.backup_ref(update.task_id), backup)


def _write_files(
    repository: Repository, checkout: Checkout, update: Update, own: Path, paths: Sequence[Touched], lock: int
) -> None:
    update.index.unlink(missing_ok=True)
    update.index.with_name(f"{update.index.name}.lock").unlink(missing_ok=True)
    if (checkout.git_dir / "index").is_file():
        shutil.copy2(checkout.git_dir / "index", update.index)
    (own / "HEAD").write_text(f"{update.old}\n" if update.old else "ref: refs/heads/none\n")
    words = ("merge", "-q", "--ff-only", "--no-overwrite-ignore", "--no-autostash", "--no-stat", update.new)
    try:
        git(
            *words,
            git_dir=own,
            work_tree=checkout.path,
            index=update.index,
            config=line_endings(repository),
            env=merging.IDENTITY,
            timeout_seconds=UPDATE_SECONDS,
            keep_open=(lock,),
        )
    except GitFailed as failure:
        put_back(repository, checkout, own, paths)
        raise _not_updated(failure.stderr.strip()[:2000]) from failure


def _not_updated(why: str) -> LandingRefused:
    blocking = [{"path": "", "why": why}]
    return LandingRefused(
        "The checkout could not be updated, and is as it was.", conflicts=[], blocking=blocking
    )


def _move_branch(
    repository: Repository, checkout: Checkout, update: Update, own: Path, paths: Sequence[Touched]
) -> None:
    if update.branch is None:
        return
    try:
        references.move(
            checkout.git_dir,
            f"refs/heads/{update.branch}",
            update.arrival,
            update.old or "",
            reason=f"openruntime: landed task {update.task_id}",
        )
    except GitFailed as failure:
        put_back(repository, checkout, own, paths)
        raise references.not_moved(failure) from failure


def _stage(update: Update, marker: Path) -> None:
    """Put the updated copy of the index into the lock, where one rename makes it the user's: that needs no room."""
    if update.branch is None or not update.index.is_file():
        return
    content = update.index.read_bytes()
    if marker.read_bytes() == content:
        return
    with marker.open("wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())


def _install(checkout: Checkout, update: Update, marker: Path) -> None:
    """Make the updated copy the user's index, in one rename, and let go of the lock."""
    if update.branch is not None and update.index.is_file():
        _stage(update, marker)
        os.replace(checkout.git_dir / "index.lock", checkout.git_dir / "index")
    _unlock(checkout, marker)
    update.index.unlink(missing_ok=True)
