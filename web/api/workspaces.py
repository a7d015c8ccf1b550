"""Folders people work in: known ones, registered ones, and a browser of directories to choose from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from flask import Response

from shared import workspaces
from shared.clock import rfc3339
from shared.errors import BadRequest, NotImplementedHere
from shared.store.models import Workspace
from web import answers
from web.api import results, schemas
from web.bodies import body_optional
from web.resource import Resource
from web.security import Authority, authority
from web.services import services

api = Resource("workspaces", __name__)
#: A folder lists this many of its folders.
ENTRIES = 1000


@api.get("/workspaces", responses={200: results.Listed[results.Workspace]})
@authority(Authority.CLIENT)
def list_workspaces(query: schemas.Page) -> Response:
    """The server's folder, then those of tasks by last use, then registered ones."""
    found = workspaces.listed(services().home)
    return answers.part([{"id": id, "name": name, "path": path} for id, name, path in found], query)


@api.post("/workspaces/register", responses={200: results.Workspace})
@authority(Authority.OWNER)
def register(body: schemas.Register) -> Response:
    """Keep a folder in the list."""
    return answers.value(_view(workspaces.register(body.path, services().home)))


@api.post("/workspaces/pick", responses={200: results.Workspace})
@authority(Authority.OWNER)
@body_optional
def pick(body: schemas.NothingNeeded) -> Response:
    """The operating system's dialog, where a server can open one."""
    raise NotImplementedHere("No dialog can be opened here; choose with GET /workspaces/browse?path=.")


@api.get("/workspaces/browse", responses={200: results.Folders})
@authority(Authority.OWNER)
def browse(query: schemas.Browse) -> Response:
    """The folders inside a folder, by name; hidden ones last."""
    return answers.value(folders_in(query.path or str(Path.home())))


def folders_in(path: str) -> dict[str, Any]:
    """The folders inside a folder; raises BadRequest when it cannot be listed."""
    folder = Path(os.path.abspath(path))
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if _is_folder(entry)]
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or "its name cannot be used"
        raise BadRequest(f"The folder {folder} cannot be listed: {said}.") from None
    names.sort(key=lambda name: (name.startswith("."), name.casefold()))
    shown = [name for name in names if name.isprintable()][:ENTRIES]
    return {
        "path": str(folder),
        "parent": None if folder.parent == folder else str(folder.parent),
        "directories": [{"name": name, "path": str(folder / name)} for name in shown],
        "truncated": len(shown) < len(names),
    }


@api.get("/workspaces/<id>", responses={200: results.Workspace})
@authority(Authority.CLIENT)
def show(path: schemas.ByWorkspace) -> Response:
    """A registered workspace with its defaults."""
    return answers.value(_view(workspaces.get(path.id)))


@api.patch("/workspaces/<id>", responses={200: results.Workspace})
@authority(Authority.OWNER)
def change(path: schemas.ByWorkspace, body: schemas.Defaults) -> Response:
    """Set or remove defaults of a workspace."""
    given = body.model_dump(exclude_unset=True)
    if body.tool_rules is not None:
        given["tool_rules"] = [rule.model_dump(exclude_none=True) for rule in body.tool_rules]
    return answers.value(_view(workspaces.change(path.id, given)))


@api.delete("/workspaces/<id>", responses={204: None})
@authority(Authority.OWNER)
def forget(path: schemas.ByWorkspace) -> Response:
    """Take a workspace off the list; its folder stays."""
    workspaces.forget(path.id)
    return Response(status=204)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _view(row: Workspace) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "path": row.path,
        "defaults": row.defaults,
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
    }
