"""Merging a task's work into a branch without touching any checkout, where no merge driver can run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.errors import GitFailed
from workers.repository.git import git
from workers.repository.snapshot import display

MERGE_SECONDS = 120
MAX_CONFLICTS = 500
MAX_HUNKS = 20
MAX_HUNK_CHARACTERS = 4000
MAX_CONFLICT_BYTES = 1 << 20
IDENTITY = {
    "GIT_AUTHOR_NAME": "openRuntime",
    "GIT_AUTHOR_EMAIL": "openruntime@localhost",
    "GIT_COMMITTER_NAME": "openRuntime",
    "GIT_COMMITTER_EMAIL": "openruntime@localhost",
}
EPOCH = {"GIT_AUTHOR_DATE": "@0 +0000", "GIT_COMMITTER_DATE": "@0 +0000"}
_BASE = re.compile(r"^\|{7} [0-9a-f]+$", re.MULTILINE)
_HUNK = re.compile(r"^<<<<<<< .*?^>>>>>>> [^\n]*\n?", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Merged:
    """The merged tree, or what conflicts: `{path, why, hunks}` each, hunks as text with conflict markers."""

    tree: str
    conflicts: tuple[dict[str, Any], ...]


def commit(
    git_dir: Path, tree: str, parents: Sequence[str], message: str, env: Mapping[str, str] | None = None
) -> str:
    """Make a commit object; `env` names author, committer and dates (fixed ones by default)."""
    words = [word for parent in parents for word in ("-p", parent)]
    identity = {**IDENTITY, **(env if env is not None else EPOCH)}
    text = message.encode("utf-8", "surrogateescape")
    return git("commit-tree", tree, *words, "-F", "-", git_dir=git_dir, env=identity, input=text).text


def tree_of(git_dir: Path, commit_oid: str) -> str:
    """The tree of a commit."""
    return git("rev-parse", "--verify", f"{commit_oid}^{{tree}}", git_dir=git_dir).text


def trees_of(git_dir: Path, *commits: str) -> list[str]:
    """The trees of several commits."""
    return git("rev-parse", *(f"{oid}^{{tree}}" for oid in commits), git_dir=git_dir).text.split("\n")


def replay(
    git_dir: Path, *, base: str, ours: str, theirs: str, names: tuple[str, str] | None = None
) -> Merged:
    """The changes from `base` to `theirs` (trees) made to `ours` (a tree), whatever their histories are.

    `names` are what conflict markers in the merged tree call the two sides: branches of `git_dir` while it merges.
    git 2.38 has no `merge-tree --merge-base`: two commits of ours on one parentless commit have that merge base.
    """
    if ours in (base, theirs):
        return Merged(theirs, ())
    root = commit(git_dir, base, (), "base")
    sides = [commit(git_dir, ours, (root,), "ours"), commit(git_dir, theirs, (root,), "theirs")]
    if names is None:
        return merge(git_dir, *sides)
    try:
        for name, oid in zip(names, sides, strict=True):
            git("update-ref", f"refs/heads/{name}", oid, git_dir=git_dir)
        return merge(git_dir, *names)
    finally:
        for name in names:
            git("update-ref", "-d", f"refs/heads/{name}", git_dir=git_dir, check=False)


def merge(git_dir: Path, ours: str, theirs: str) -> Merged:
    """Merge two commits by their histories. Raises GitFailed when git cannot."""
    done = git(
        "merge-tree",
        "--write-tree",
        "-z",
        "--name-only",
        "--messages",
        "--allow-unrelated-histories",
        ours,
        theirs,
        git_dir=git_dir,
        config={"merge.conflictStyle": "diff3"},
        timeout_seconds=MERGE_SECONDS,
        check=False,
    )
    if done.code not in (0, 1):
        raise GitFailed(["merge-tree"], done.code, done.stderr)
    fields = done.stdout.split(b"\0")
    tree = fields[0].decode()
    if done.code == 0:
        return Merged(tree, ())
    end = fields.index(b"", 1)
    kinds = _kinds(fields[end + 1 :])
    paths = list(dict.fromkeys(fields[1:end]))[:MAX_CONFLICTS]
    told = [_conflict(git_dir, tree, path, kinds.get(path, "conflict")) for path in paths]
    for one in told:
        one["hunks"] = [_named(hunk, ours, theirs) for hunk in one["hunks"]]
    return Merged(tree, tuple(told))


def _named(hunk: str, ours: str, theirs: str) -> str:
    """The sides of a conflict called by what they are to a person, not by ids of commits nobody has seen."""
    named = hunk.replace(f"<<<<<<< {ours}", "<<<<<<< target").replace(
        f">>>>>>> {theirs}", ">>>>>>> this task"
    )
    return _BASE.sub("||||||| base", named)


def _kinds(fields: list[bytes]) -> dict[bytes, str]:
    """What git says of each path: records of a count, that many paths, a kind and a message."""
    found: dict[bytes, str] = {}
    position = 0
    while position < len(fields) and fields[position].isdigit():
        count = int(fields[position])
        paths = fields[position + 1 : position + 1 + count]
        kind = fields[position + 1 + count].decode("utf-8", "replace")
        position += count + 3
        if kind.startswith("CONFLICT"):
            for path in paths:
                found.setdefault(path, kind.removeprefix("CONFLICT (").removesuffix(")"))
    return found


def _conflict(git_dir: Path, tree: str, path: bytes, why: str) -> dict[str, Any]:
    name = f"{tree}:{path.decode('utf-8', 'surrogateescape')}"
    done = git("cat-file", "blob", name, git_dir=git_dir, check=False, max_bytes=MAX_CONFLICT_BYTES)
    text = done.stdout.decode("utf-8", "replace") if done.code == 0 else ""
    hunks = [found.group()[:MAX_HUNK_CHARACTERS] for found in _HUNK.finditer(text)][:MAX_HUNKS]
    return {"path": display(path), "why": why, "hunks": hunks}
