"""The commit a landing makes: by whom, when, and with which message."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from shared.errors import BadRequest
from workers.repository.discovery import Repository
from workers.repository.git import git

MAX_MESSAGE_BYTES = 64 * 1024
_IDENT = re.compile(rb"([^<>]*)<([^<>]*)> (\d+) ([-+]\d{4})")
_TRAILER = re.compile(r"[A-Za-z][A-Za-z0-9-]*: \S")


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


def signature(repository: Repository, author: Author | None) -> dict[str, str]:
    """The environment that makes a commit by `author` (None: the repository's person), now."""
    person = author or _author(repository)
    moment = f"@{int(datetime.now(UTC).timestamp())} +0000"
    return {
        "GIT_AUTHOR_NAME": person.name,
        "GIT_AUTHOR_EMAIL": person.email,
        "GIT_COMMITTER_NAME": person.name,
        "GIT_COMMITTER_EMAIL": person.email,
        "GIT_AUTHOR_DATE": moment,
        "GIT_COMMITTER_DATE": moment,
    }


def again(raw: bytes, task_id: str, env: dict[str, str]) -> tuple[str, dict[str, str]]:
    """The message of a commit, with the task's trailer, and the environment that keeps its author and date.

    `raw` is the commit as git stores it; the committer is the one of `env`.
    """
    head, _, body = raw.partition(b"\n\n")
    lines = dict(line.split(b" ", 1) for line in head.split(b"\n") if b" " in line)
    message = trailed(_decoded(body, lines.get(b"encoding", b"utf-8")), task_id)
    found = _IDENT.fullmatch(lines.get(b"author", b""))
    if found is None:
        return message, env
    name, email, seconds, zone = (os.fsdecode(part) for part in found.groups())
    kept = {
        "GIT_AUTHOR_NAME": name.strip() or env["GIT_AUTHOR_NAME"],
        "GIT_AUTHOR_EMAIL": email.strip() or env["GIT_AUTHOR_EMAIL"],
        "GIT_AUTHOR_DATE": f"@{seconds} {zone}",
    }
    return message, {**env, **kept}


def trailed(message: str, task_id: str) -> str:
    """The message with the trailer that names its task."""
    text = message.replace("\0", "").strip()
    trailer = f"OpenRuntime-Task: {task_id}"
    if trailer in text.splitlines():
        return f"{text}\n"
    last = text.split("\n\n")[-1].splitlines() if "\n\n" in text else []
    joined = "\n" if last and all(_TRAILER.match(line) for line in last) else "\n\n"
    return f"{text}{joined}{trailer}\n"


def reverting(git_dir: Path, oid: str, task_id: str) -> str:
    """The message of a commit that reverts another, as git words it."""
    subject = git("log", "-1", "--format=%s", oid, git_dir=git_dir).text
    return trailed(f'Revert "{subject}"\n\nThis reverts commit {oid}.', task_id)


def _decoded(text: bytes, encoding: bytes) -> str:
    try:
        return text.decode(encoding.decode("ascii"))
    except (LookupError, UnicodeDecodeError):
        return text.decode("utf-8", "surrogateescape")


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
