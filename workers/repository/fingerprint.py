"""Whether a repository's configuration or hooks changed: what could make git run code."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from pathlib import Path

from workers.repository.discovery import Repository

MAX_FILE_BYTES = 8 << 20
MAX_HOOKS = 1000
# What people and git itself change while a task runs, and what starts nothing.
_HARMLESS = re.compile(
    r"branch\..*\.(remote|merge|pushremote|rebase|description|gh-.*|vscode-.*)|user\..*|color\..*|gui\..*"
    r"|core\.repositoryformatversion|extensions\.worktreeconfig|maintenance\..*|advice\..*|init\..*"
)


def fingerprint(repository: Repository) -> str:
    """A digest of the configuration that can start programs or redirect git, and of the hooks.

    Take it before an attempt and compare before a landing. Branch tracking, names and colours are left out.
    """
    digest = hashlib.sha256()
    own = repository.settings
    for key in sorted(own):
        if not _HARMLESS.fullmatch(key):
            _add(digest, "setting", key, own[key])
    common = repository.common_dir
    hooks = [common / "hooks"]
    if own.get("core.hookspath"):
        hooks.append((repository.toplevel or common) / os.path.expanduser(own["core.hookspath"]))
    for folder in hooks:
        _add_folder(digest, folder)
    for place in (
        "config.worktree",
        "info/attributes",
        "info/grafts",
        "objects/info/alternates",
        "commondir",
    ):
        _add_file(digest, common / place)
    return digest.hexdigest()


def _add_folder(digest: hashlib._Hash, folder: Path) -> None:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)[:MAX_HOOKS]
    except OSError:
        return
    for entry in entries:
        if not entry.name.endswith(".sample"):
            _add_file(digest, Path(entry.path))


def _add_file(digest: hashlib._Hash, path: Path) -> None:
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            return
        with path.open("rb") as opened:
            content = opened.read(MAX_FILE_BYTES)
    except OSError:
        return
    _add(digest, str(path), str(found.st_mode), hashlib.sha256(content).hexdigest())


def _add(digest: hashlib._Hash, *words: str) -> None:
    for word in words:
        raw = os.fsencode(word)
        digest.update(b"%d:" % len(raw) + raw)
