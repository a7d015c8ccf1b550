"""Brings a session to where its program looks for it: Claude finds one only below the folder it runs in (facts 1.1, 1.6)."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from workers import beneath

PROJECTS = "projects"
PLAIN = re.compile(r"[0-9A-Za-z-]{1,100}")
ODD = re.compile(r"[^0-9A-Za-z]")


def project_of(home: Path, cwd: str) -> Path:
    """The folder of a home that holds the sessions of one working folder; links are followed first."""
    return home / PROJECTS / ODD.sub("-", os.path.realpath(cwd))


def bring(session_id: str, cwd: str, home: Path, others: Iterable[Path] = ()) -> bool:
    """Copy a session, with its sub-agents, to `cwd`'s folder in `home` unless it is there; whether it now is.

    It is looked for in `home` and `others`; the newest counts, and the original stays as it was.
    """
    place = project_of(home, cwd)
    target = place / f"{session_id}.jsonl"
    if target.exists():
        return True
    if not PLAIN.fullmatch(session_id):
        return False
    found = [path for folder in (home, *others) for path in folder.glob(f"{PROJECTS}/*/{session_id}.jsonl")]
    held = [path for path in found if path.is_file() and not path.is_symlink()]
    if not held:
        return False
    source = max(held, key=lambda path: path.stat().st_mtime)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not place.resolve().is_relative_to(home.resolve()):
        return False  # an agent that shares the home led its folder elsewhere
    with tempfile.TemporaryDirectory(dir=place) as drafts:
        draft = beneath.copy(source.parent, source.name, Path(drafts, "session"))
        if source.with_suffix("").is_dir():
            shutil.copytree(
                source.with_suffix(""),
                target.with_suffix(""),
                symlinks=True,
                dirs_exist_ok=True,
                copy_function=_copy_new,
            )
        draft.replace(target)
    return True


def _copy_new(source: str, target: str) -> None:
    with contextlib.suppress(FileExistsError):
        beneath.copy(os.path.dirname(source), os.path.basename(source), Path(target))
