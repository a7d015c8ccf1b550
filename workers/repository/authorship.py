"""The commit a landing makes: by whom, when, and with which message."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from shared.errors import BadRequest
from workers.repository import merging
from workers.repository.discovery import Repository
from workers.repository.target import Target

MAX_MESSAGE_BYTES = 64 * 1024


class Change(Protocol):
    """What is landed: a Capture, or anything with these of its fields."""

    @property
    def task_id(self) -> str: ...
    @property
    def tree_oid(self) -> str: ...
    @property
    def head_oid(self) -> str: ...
    @property
    def base_oid(self) -> str: ...
    @property
    def git_directory(self) -> Path: ...


@dataclass(frozen=True)
class Author:
    """Who a landing commit is by."""

    name: str
    email: str


def make_commit(
    repository: Repository,
    own: Path,
    change: Change,
    target: Target,
    tree: str,
    strategy: str,
    message: str,
    author: Author | None,
) -> str:
    """Make the commit to land in `own`: on the target, or with it and the work as parents for a merge."""
    person = author or _author(repository)
    moment = f"@{int(datetime.now(UTC).timestamp())} +0000"
    env = {
        "GIT_AUTHOR_NAME": person.name,
        "GIT_AUTHOR_EMAIL": person.email,
        "GIT_COMMITTER_NAME": person.name,
        "GIT_COMMITTER_EMAIL": person.email,
        "GIT_AUTHOR_DATE": moment,
        "GIT_COMMITTER_DATE": moment,
    }
    parents = [target.oid] if target.oid else []
    if strategy == "merge" and target.oid:
        work = merging.commit(own, merging.tree_of(own, change.head_oid), [change.base_oid], message, env)
        subject = message.split("\n", 1)[0]
        return merging.commit(own, tree, [*parents, work], f"Merge: {subject}\n", env)
    return merging.commit(own, tree, parents, message, env)


def _author(repository: Repository) -> Author:
    chosen = {**repository.personal, **repository.settings}
    name, email = chosen.get("user.name", "").strip(), chosen.get("user.email", "").strip()
    return Author(name or "openRuntime", email or "openruntime@localhost")


def clean_message(text: str) -> str:
    """The message as it is committed. Raises BadRequest when it is empty, too long or no text."""
    cleaned = text.strip()
    if not cleaned or "\0" in cleaned:
        raise BadRequest("A landing needs a commit message.")
    if len(cleaned.encode("utf-8", "surrogateescape")) > MAX_MESSAGE_BYTES:
        raise BadRequest("The commit message is longer than 64 KiB.")
    return f"{cleaned}\n"
