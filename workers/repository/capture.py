"""Capturing what an agent changed: the tree it left, compared with the base, whatever it did to git."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from shared.errors import GitFailed, NotFound
from workers.repository import difference, snapshot
from workers.repository.difference import ChangedFile
from workers.repository.git import git
from workers.repository.locks import held
from workers.repository.snapshot import SCAN_SECONDS, Flag, Snapshot, display
from workers.repository.worktree import Worktree
from workers.repository.worktrees import FIXED_IDENTITY

MOST_IGNORED = 10
MASS_DELETION_FILES = 10  # below this, deleting more than half is an ordinary change
# Files that tools run or obey on their own once they are in a checkout.
_AUTO_EXECUTED = re.compile(
    r"(^|/)(\.envrc|\.mcp\.json|\.gitmodules|\.gitattributes|\.pre-commit-config\.yaml|\.gitlab-ci\.yml)$"
    r"|(^|/)(\.claude|\.codex|\.githooks|\.husky|\.devcontainer|\.idea)/"
    r"|(^|/)\.vscode/(tasks|settings|launch|extensions)\.json$"
    r"|^\.github/(workflows|actions)/"
)


@dataclass(frozen=True)
class Capture:
    """One stored state of a task's work; complete in itself, so that it outlives the worktree.

    `head_oid` is a commit of ours with this tree on top of `base_oid`, the same for the same tree; `stat` is like
    `git diff --stat`; `patch` is what `git apply` takes, cut at 8 MiB when `truncated`.
    """

    task_id: str
    tree_oid: str
    head_oid: str
    base_oid: str
    files: tuple[ChangedFile, ...]
    stat: str
    patch: bytes
    truncated: bool
    flags: tuple[Flag, ...]
    captured_at: datetime
    git_directory: Path

    @property
    def has_changes(self) -> bool:
        return bool(self.files)


def take(worktree: Worktree, *, refresh: bool = False) -> Capture:
    """Record the worktree as it is now. Nothing the agent configured runs, and its own git is not touched.

    `refresh` is for a tree somebody works in: nothing in it is made readable. When the folder is gone the answer has
    no files and the flag `worktree-missing`: keep the capture before it.
    Raises GitFailed when git cannot read the tree, NotFound when our git directory is gone.
    """
    own = worktree.capture_git_directory
    if not own.is_dir():
        raise NotFound("This task has no worktree.")
    with held(worktree.repositories, f"capture {worktree.task_id}", timeout_seconds=600):
        found, (files, text, truncated) = _recorded(worktree, refresh=refresh)
        return Capture(
            task_id=worktree.task_id,
            tree_oid=found.tree,
            head_oid=_commit(worktree, found.tree),
            base_oid=worktree.base_commit,
            files=judged(own, files),
            stat=difference.summary(files),
            patch=text,
            truncated=truncated,
            flags=(*found.flags, *_mass_deletion(worktree, files), *_hidden(worktree, files)),
            captured_at=datetime.now(UTC),
            git_directory=own,
        )


def _recorded(worktree: Worktree, *, refresh: bool) -> tuple[Snapshot, difference.Comparison]:
    """The tree as it is now, and how it differs from the base.

    Git stores no object that it can borrow, and the user's gc may have taken one since: then all are made anew.
    """
    try:
        return _looked_at(worktree, refresh=refresh)
    except GitFailed as failure:
        if refresh or failure.code is None or not worktree.is_there:
            raise
        (worktree.capture_git_directory / "index").unlink(missing_ok=True)
        return _looked_at(worktree, refresh=refresh)


def _looked_at(worktree: Worktree, *, refresh: bool) -> tuple[Snapshot, difference.Comparison]:
    own = worktree.capture_git_directory
    index = own / "index"
    if not worktree.is_there:
        tree = git("rev-parse", f"{worktree.base_commit}^{{tree}}", git_dir=own).text
        found = Snapshot(tree, (Flag("worktree-missing"),))
    else:
        if not index.is_file():
            git("read-tree", worktree.base_commit, git_dir=own, index=index)
        # In place it is the person's own folder: its modes are theirs.
        repair = not (refresh or worktree.in_place)
        found = snapshot.take(own, worktree.path, index, repair=repair, live=refresh)
    return found, difference.compare(own, worktree.base_commit, found.tree)


def patch_of(capture: Capture, path: str | bytes) -> bytes | None:
    """The patch of one file, from the stored patch or, when that was cut, from git; None for an unchanged file."""
    raw = os.fsencode(path) if isinstance(path, str) else path
    stored = difference.section(capture.patch, capture.files, raw)
    if stored is not None or not capture.git_directory.is_dir():
        return stored
    for file in capture.files:
        if raw in (file.raw_path, file.raw_old_path):
            names = [name for name in (file.raw_old_path, file.raw_path) if name is not None]
            return difference.patch(capture.git_directory, capture.base_oid, capture.tree_oid, *names)
    return None


def _commit(worktree: Worktree, tree: str) -> str:
    moment = f"@{worktree.base_seconds} +0000"
    env = {**FIXED_IDENTITY, "GIT_AUTHOR_DATE": moment, "GIT_COMMITTER_DATE": moment}
    words = ("commit-tree", tree, "-p", worktree.base_commit, "-m", f"Work of task {worktree.task_id}")
    return git(*words, git_dir=worktree.capture_git_directory, env=env).text


def judged(git_dir: Path, files: Sequence[ChangedFile]) -> tuple[ChangedFile, ...]:
    """The files, flagged where a tool would run or obey one by itself or a link leads out of the repository."""
    return tuple(_judged(git_dir, file) for file in files)


def _judged(git_dir: Path, file: ChangedFile) -> ChangedFile:
    if file.status == "deleted":
        return file
    if _AUTO_EXECUTED.search(file.path):
        file = file.flagged("auto-executed")
    if _is_ignore_file(file):
        file = file.flagged("ignore-rules")
    if file.new_mode == "120000" and file.old_blob != file.new_blob and _leads_outside(git_dir, file):
        file = file.flagged("link-outside")
    return file


def _leads_outside(git_dir: Path, file: ChangedFile) -> bool:
    target = git("cat-file", "blob", str(file.new_blob), git_dir=git_dir, max_bytes=4096).stdout
    if target.startswith(b"/"):
        return True
    return os.path.normpath(os.path.join(os.path.dirname(file.raw_path), target)).split(b"/")[0] == b".."


def _mass_deletion(worktree: Worktree, files: tuple[ChangedFile, ...]) -> list[Flag]:
    deleted = sum(file.status == "deleted" for file in files)
    if deleted < MASS_DELETION_FILES:
        return []
    words = ("ls-tree", "-r", "--name-only", "-z", worktree.base_commit)
    total = git(*words, git_dir=worktree.capture_git_directory).stdout.count(b"\0")
    if deleted * 2 <= total:
        return []
    return [Flag("mass-deletion", None, f"{deleted} of {total} files")]


def _is_ignore_file(file: ChangedFile) -> bool:
    return file.status != "deleted" and os.path.basename(file.path) == ".gitignore"


def _hidden(worktree: Worktree, files: Sequence[ChangedFile]) -> list[Flag]:
    """What git ignores in a tree whose rules for that were changed: no capture holds it, and nobody else says so."""
    if not any(_is_ignore_file(file) for file in files) or not worktree.is_there:
        return []
    words = ("ls-files", "-o", "-i", "--exclude-standard", "--directory", "-z")
    own = worktree.capture_git_directory
    listed = git(
        *words, git_dir=own, work_tree=worktree.path, index=own / "index", timeout_seconds=SCAN_SECONDS
    )
    names = [name for name in listed.stdout.split(b"\0") if name]
    more = (
        [Flag("ignored", None, f"and {len(names) - MOST_IGNORED} more")] if len(names) > MOST_IGNORED else []
    )
    return [*(Flag("ignored", display(name)) for name in names[:MOST_IGNORED]), *more]
