"""What in a repository's configuration could make git run code, and what of it has changed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from shared.secrets.redaction import redact
from workers import beneath
from workers.repository.discovery import Repository

MAX_FILE_BYTES = 8 << 20
MAX_HOOKS = 1000
# What people and git itself change while a task runs, and what starts nothing.
_HARMLESS = re.compile(
    r"branch\..*\.(remote|merge|pushremote|rebase|description|gh-.*|vscode-.*)|user\..*|color\..*|gui\..*"
    r"|core\.repositoryformatversion|extensions\.worktreeconfig|maintenance\..*|advice\..*|init\..*"
)


#: What stands for a value: its digest to compare, and the value itself, masked and cut, to show.
Mark = tuple[str, str]
Marks = dict[str, Mark]
SHOWN_CHARACTERS = 200
_USERINFO = re.compile(r"(?<=://)[^/@\s]+@")
#: Files of a git directory that redirect git, or name programs for it.
FILES = ("config.worktree", "info/attributes", "info/grafts", "objects/info/alternates", "commondir")


def fingerprint(repository: Repository) -> str:
    """A digest of the configuration that can start programs or redirect git, and of the hooks."""
    return hashlib.sha256(json.dumps(marks(repository), sort_keys=True).encode()).hexdigest()


def marks(repository: Repository) -> Marks:
    """What of a repository can start programs or redirect git, by name: settings, hooks, and a few files.

    Take it before an attempt and compare before a landing. Branch tracking, names and colours are left out.
    """
    own = repository.settings
    found = {
        f"setting {key}": _mark(os.fsencode(own[key]), own[key])
        for key in sorted(own)
        if not _HARMLESS.fullmatch(key)
    }
    common = repository.common_dir
    hooks = [common / "hooks"]
    if own.get("core.hookspath"):
        hooks.append((repository.toplevel or common) / os.path.expanduser(own["core.hookspath"]))
    for folder in hooks:
        found |= {f"hook {path}": mark for path, mark in _hooks(folder)}
    for name in FILES:
        if (mark := _file(common / name)) is not None:
            found[f"file {name}"] = mark
    return found


def changes(before: Mapping[str, Sequence[str]], now: Marks) -> list[tuple[str, str]]:
    """(name, what happened to it in a few words) of everything that is not as it was."""
    return [
        (name, _told(before.get(name), now.get(name)))
        for name in sorted({*before, *now})
        if (before.get(name) or [""])[0] != (now.get(name) or [""])[0]
    ]


def _told(before: Sequence[str] | None, now: Sequence[str] | None) -> str:
    if before is None:
        return f"added: {now[1]}" if now else ""
    return f"changed from {before[1]} to {now[1]}" if now else f"removed, was {before[1]}"


def _hooks(folder: Path) -> Iterator[tuple[Path, Mark]]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)[:MAX_HOOKS]
    except OSError:
        return
    for entry in entries:
        if not entry.name.endswith(".sample") and (mark := _file(Path(entry.path))) is not None:
            yield Path(entry.path), mark


def _file(path: Path) -> Mark | None:
    """A file's content and mode; a link of the person's is followed, as git follows it."""
    try:
        with os.fdopen(beneath.open_regular(path), "rb") as opened:
            mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
            content = opened.read(MAX_FILE_BYTES)
    except OSError:
        return None
    runs = "a program" if mode & 0o111 else "a file"
    return _mark(b"%o:" % mode + content, f"{runs} of {len(content)} bytes")


def _mark(raw: bytes, shown: str) -> Mark:
    told = redact(_USERINFO.sub("", shown))
    return hashlib.sha256(raw).hexdigest(), told[:SHOWN_CHARACTERS]
