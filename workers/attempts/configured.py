"""What in a repository configures an agent's program, found where a task starts: nothing of it runs to be read."""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

from shared import groups, worktree_setup
from shared.agents import trust
from shared.agents.trust import Found
from shared.config import Config
from shared.errors import NotReady
from shared.policy import globs
from shared.store.models import AgentFile, Task
from workers import beneath
from workers.attempts.place import worktree_of
from workers.repository import discovery, references
from workers.repository.git import git
from workers.runners import registry

MAX_FILES = 500
MAX_FILE_BYTES = 1 << 20
#: Shown to the person who decides; the digest is of the whole.
MAX_SHOWN_CHARACTERS = 64 * 1024
MAX_LINKS = 50
LINK = b"a link to "
#: Variables of the agent's program that lead it, with the person's key, to another model server.
ADDRESS_WORDS = ("ANTHROPIC", "CLAUDE", "OPENAI", "CODEX")


class Tree(Protocol):
    """A folder of files, in a commit or on disk."""

    def below(self, path: str) -> Iterable[str]:
        """`path` itself when it is a file or a link, else every file and link below it."""

    def read(self, path: str) -> tuple[bytes, bool]:
        """The content of a file, or the text of a link, and whether it is one; raises OSError when it is too large."""


def found(task: Task, config: Config) -> list[AgentFile]:
    """Look, and record it: what nobody trusts yet. An agent that starts without them needs no look."""
    configured_by = registry.get(task.runner).capabilities.configured_by
    if not configured_by or trust.is_ignoring(task):
        return []
    if worktree_setup.of(task).include:  # it says which of the person's own files the agent gets
        configured_by = (*configured_by, worktree_setup.INCLUDE)
    return trust.record(task, look(task, configured_by, config))


def look(task: Task, configured_by: Sequence[str], config: Config) -> list[Found]:
    """Every file that configures the program of a task's runner; [] where it cannot be known before a start."""
    if not configured_by or not os.path.isdir(task.workspace):
        return []
    worktree = worktree_of(task, config)
    if worktree is not None and worktree.is_there:
        inside = os.path.relpath(worktree.execution_path, worktree.path)
        return files(OnDisk(worktree.path), "" if inside == "." else inside, configured_by)
    repository = discovery.locate(task.workspace)
    if repository is None:
        return files(OnDisk(Path(task.workspace)), "", configured_by)
    if repository.head_oid is None and not task.base_ref:
        return []
    commit = references.resolve(repository, groups.base_of(task) or task.base_ref or "HEAD")
    return files(InCommit(repository.git_dir, commit), repository.prefix, configured_by)


def files(tree: Tree, prefix: str, configured_by: Sequence[str]) -> list[Found]:
    """Those in the folder `prefix` of a tree and in every folder above it; links inside the tree are followed."""
    wanted = dict.fromkeys(
        path
        for folder in _and_above(prefix)
        for top in dict.fromkeys(glob.split("/")[0] for glob in configured_by)
        for path in tree.below(posixpath.join(folder, top))
        if _configures(path, folder, configured_by, tree)
    )
    found: list[Found] = []
    links = 0
    waiting = list(wanted)
    while waiting and len(found) < MAX_FILES:
        path = waiting.pop(0)
        file, target = _read(tree, path)
        found.append(file)
        if target is not None and links < MAX_LINKS:
            links += 1
            waiting += [more for more in tree.below(target) if more not in wanted]
            wanted |= dict.fromkeys(waiting)
    if waiting:
        raise NotReady(
            f"More than {MAX_FILES} files of the repository configure the agent: start it without them."
        )
    return sorted(found, key=lambda file: file.path)


def _and_above(prefix: str) -> list[str]:
    parts = prefix.split("/") if prefix else []
    return ["/".join(parts[:count]) for count in range(len(parts), -1, -1)]


def _configures(path: str, folder: str, configured_by: Sequence[str], tree: Tree) -> bool:
    """A link counts wherever it stands: what it leads to decides."""
    inside = posixpath.relpath(path, folder or ".")
    return any(globs.matches(inside, glob) for glob in configured_by) or _is_link(tree, path)


def _is_link(tree: Tree, path: str) -> bool:
    try:
        return tree.read(path)[1]
    except OSError:
        return False


def _read(tree: Tree, path: str) -> tuple[Found, str | None]:
    """The file, and where it leads inside the tree if it is a link."""
    try:
        content, is_link = tree.read(path)
    except OSError:
        why = f"It is larger than {MAX_FILE_BYTES >> 20} MiB, or not a plain file."
        return Found(path, "", 0, "", why), None
    if not is_link:
        return _found(path, content, _misleading(path, content)), None
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), os.fsdecode(content)))
    leaves = content.startswith(b"/") or target.split("/")[0] == ".."
    problem = "It is a link that leads out of the repository." if leaves else None
    return _found(path, LINK + content, problem), None if leaves else target


def _found(path: str, content: bytes, problem: str | None) -> Found:
    shown = content.decode("utf-8", "replace").replace("\0", "\ufffd")
    digest = hashlib.sha256(content).hexdigest()
    return Found(path, digest, len(content), shown[:MAX_SHOWN_CHARACTERS], problem)


def _misleading(path: str, content: bytes) -> str | None:
    """A repository never says which model server gets the person's key."""
    if not path.endswith(".json"):
        return None
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return None
    named = value.get("env") if isinstance(value, dict) else None
    return next((why for name in named or () if (why := _leads_away(name))), None)


def _leads_away(name: Any) -> str | None:
    text = str(name).upper()
    if "URL" in text and text.startswith(ADDRESS_WORDS):
        return f"It sets {text}, which would send the agent, and your key, to another model server."
    return None


class OnDisk:
    """A folder that an agent may have written."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def below(self, path: str) -> Iterable[str]:
        full = self._root / path
        if full.is_symlink() or full.is_file():
            yield path
            return
        for folder, folders, names in os.walk(full):
            for name in (*names, *(one for one in folders if os.path.islink(os.path.join(folder, one)))):
                yield os.path.relpath(os.path.join(folder, name), self._root)

    def read(self, path: str) -> tuple[bytes, bool]:
        try:
            return beneath.read_link(self._root, path), True
        except OSError:
            return beneath.read(self._root, path, MAX_FILE_BYTES), False


class InCommit:
    """The tree of a commit in a user's repository."""

    def __init__(self, git_dir: Path, commit: str) -> None:
        self._git_dir, self._commit = git_dir, commit
        self._known: dict[str, tuple[str, str]] = {}

    def below(self, path: str) -> Iterable[str]:
        words = ("ls-tree", "-r", "-z", "--full-tree", self._commit, "--", path)
        for entry in git(*words, git_dir=self._git_dir).stdout.split(b"\0"):
            about, _, name = entry.partition(b"\t")
            if not name or about.split(b" ")[1] != b"blob":
                continue
            mode, _, oid = about.decode().split(" ")
            self._known[os.fsdecode(name)] = (mode, oid)
            yield os.fsdecode(name)

    def read(self, path: str) -> tuple[bytes, bool]:
        mode, oid = self._known[path]
        done = git("cat-file", "blob", oid, git_dir=self._git_dir, max_bytes=MAX_FILE_BYTES)
        if done.truncated:
            raise OSError(path)
        return done.stdout, mode == "120000"
