"""The folders people work in: resolved, registered, listed."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import peewee

from shared import audit
from shared.audit import Act
from shared.clock import from_micros, now, to_micros
from shared.doorbell import Bell, ring
from shared.errors import BadRequest, NotFound
from shared.policy import presets
from shared.store.database import transaction
from shared.store.models import Inspection, Task, Workspace

#: A look at a folder is good for this long; asking earlier asks for nothing.
FRESH_SECONDS = 5
#: Folders looked at in one round, and the age at which nobody's question is forgotten.
MOST_WANTED = 50
FORGOTTEN_SECONDS = 60 * 60 * 24 * 30


def resolve(path: str | None, home: Path) -> Path:
    """The real folder behind what a person wrote; relative paths start at `home`, empty means `home` itself.

    Raises BadRequest when it does not exist or is not a folder; `~` is not expanded, as in the reference.
    """
    text = (path or "").strip() or "."
    if "\0" in text:
        raise BadRequest("A workspace path cannot contain a NUL character.")
    folder = Path(os.path.realpath(home / text))
    try:
        mode = folder.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise BadRequest(f"The workspace {text} does not exist.") from None
    except OSError as error:
        raise BadRequest(f"The workspace {text} cannot be used: {error.strerror}.") from None
    if not stat.S_ISDIR(mode):
        raise BadRequest(f"The workspace {text} is not a directory.")
    return folder


def register(path: str, home: Path) -> Workspace:
    """Add a folder to the list, or touch it when it is there already."""
    if not path.strip():
        raise BadRequest("A workspace needs a path.")
    folder = resolve(path, home)
    if not folder.name:
        raise BadRequest("The root folder cannot be a workspace; choose a folder with a name.")
    with transaction():
        at = now()
        Workspace.insert(
            id=workspace_id(str(folder)), path=str(folder), name=folder.name, created_at=at, updated_at=at
        ).on_conflict(conflict_target=[Workspace.path], update={Workspace.updated_at: at}).execute()
        row = Workspace.get(Workspace.path == str(folder))
        audit.record(Act.REGISTER_WORKSPACE, "workspace", row.id, path=row.path)
        return row


def listed(home: Path) -> list[tuple[str, str, str]]:
    """(id, name, path): the server's folder first, then tasks' workspaces by last use, then registered ones.

    Folders that have vanished are left out.
    """
    used = (
        Task.select(Task.workspace, peewee.fn.max(Task.updated_at).alias("used"))
        .group_by(Task.workspace)
        .order_by(peewee.SQL("used").desc())
    )
    paths = [str(home)] + [row.workspace for row in used]
    paths += [row.path for row in Workspace.select().order_by(Workspace.updated_at.desc())]
    found: dict[str, tuple[str, str, str]] = {}
    for path in paths:
        real = os.path.realpath(path)
        if real not in found and os.path.isdir(real):
            found[real] = (workspace_id(real), os.path.basename(real) or real, real)
    return list(found.values())


def get(id: str) -> Workspace:
    row = Workspace.get_or_none(Workspace.id == id)
    if row is None:
        raise NotFound("No registered workspace has this id.")
    return row


def change(id: str, defaults: dict[str, Any]) -> Workspace:
    """Merge `defaults` (preset, policy, verify, setup, grants …) into a workspace's own; None removes a key.

    Raises WrongShape for what no task could begin with.
    """
    with transaction():
        row = get(id)
        row.defaults = _merged(row.defaults, defaults)
        presets.check(row.defaults)
        row.updated_at = now()
        row.save()
        audit.record(Act.CHANGE_WORKSPACE, "workspace", id, path=row.path, changed=defaults)
        return row


def _merged(own: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Named presets are changed one by one, everything else as a whole."""
    merged = {**own, **given}
    if given.get("presets"):
        merged["presets"] = _merged(own.get("presets") or {}, given["presets"]) or None
    return {key: value for key, value in merged.items() if value is not None}


def forget(id: str) -> None:
    """Take a workspace off the list; the folder itself is not touched."""
    with transaction():
        row = get(id)
        row.delete_instance()
        audit.record(Act.FORGET_WORKSPACE, "workspace", id, path=row.path)


def defaults_for(path: str) -> dict[str, Any]:
    """The defaults of the registered workspace at `path`, or none."""
    row = Workspace.get_or_none(Workspace.path == path)
    return dict(row.defaults) if row else {}


def want_inspection(paths: list[str]) -> None:
    """Ask the workers to look at these folders, unless they just have."""
    at = now()
    fresh = from_micros(to_micros(at) - FRESH_SECONDS * 1_000_000)
    with transaction():
        for path in paths[:MOST_WANTED]:
            Inspection.insert(path=path, wanted_at=at).on_conflict(
                conflict_target=[Inspection.path],
                update={Inspection.wanted_at: at},
                where=Inspection.inspected_at.is_null() | (Inspection.inspected_at < fresh),
            ).execute()


def wanted_inspections() -> list[str]:
    """Folders asked for since they were last looked at."""
    unseen = Inspection.inspected_at.is_null() | (Inspection.inspected_at < Inspection.wanted_at)
    rows = Inspection.select(Inspection.path).where(unseen).order_by(Inspection.wanted_at).limit(MOST_WANTED)
    return [row.path for row in rows]


def inspected(path: str, found: dict[str, Any]) -> None:
    """Keep what a worker saw: `{repository, branch, branches[], dirty}`, or `{problem}`."""
    at = now()
    with transaction():
        Inspection.update(found=found, inspected_at=at).where(Inspection.path == path).execute()
        old = from_micros(to_micros(at) - FORGOTTEN_SECONDS * 1_000_000)
        Inspection.delete().where(Inspection.wanted_at < old).execute()
        ring(Bell.CHANGE)


def inspections(paths: list[str]) -> dict[str, Inspection]:
    """What is known of these folders, by path."""
    return {row.path: row for row in Inspection.select().where(Inspection.path.in_(paths))}


def workspace_id(path: str) -> str:
    """A workspace's id is derived from its real path, so unregistered ones have one too."""
    return str(uuid5(NAMESPACE_URL, path))


def slug(text: str, limit: int = 40) -> str:
    """`Fix the login!` as `fix-the-login`: the readable part of a branch name."""
    words = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return words[:limit].rstrip("-") or "task"
