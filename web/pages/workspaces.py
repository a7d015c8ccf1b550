"""Workspaces: the folders people work in, what stands in them, and how to add one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Flask, request
from werkzeug.wrappers import Response as BaseResponse

from shared import workspaces
from shared.errors import BadRequest
from shared.policy import presets
from shared.store.models import Task, Workspace
from web.api.workspaces import folders_in
from web.pages import forms, frame, policies
from web.pages.repositories import inspections, refreshed
from web.security import Authority, authority, writes
from web.services import services


def install(app: Flask) -> None:
    app.add_url_rule("/ui/workspaces", "workspaces_page", page)
    app.add_url_rule("/ui/workspaces/browse", "browse_page", browse)
    app.add_url_rule("/ui/workspaces/add", "add_workspace", add, methods=["POST"])
    app.add_url_rule("/ui/workspaces/<id>/defaults", "workspace_defaults", defaults, methods=["POST"])
    app.add_url_rule("/ui/workspaces/<id>/remove", "remove_workspace", remove, methods=["POST"])


@authority(Authority.PAGE)
@writes
def page() -> str:
    """All known folders, with what a worker sees in them now."""
    rows = listed()
    paths = [row["path"] for row in rows]
    workspaces.want_inspection(paths)
    refreshed(paths)
    seen = inspections(paths)
    for row in rows:
        row["inspection"] = seen[row["path"]]
    return frame.page("workspaces.html", rows=rows, browser=_browsed(frame.query("browse")))


def listed() -> list[dict[str, Any]]:
    """Every listed workspace with its registration, if it has one, and how many tasks it holds."""
    registered = {row.path: row for row in Workspace.select()}
    home = str(services().home)
    found = []
    for id, name, path in workspaces.listed(services().home):
        row = registered.get(path)
        found.append(
            {
                "id": id,
                "name": name,
                "path": path,
                "registered": row is not None,
                "is_home": path == home,
                "preset": presets.default_name(row.defaults if row is not None else {}),
                "presets": policies.choices(row.defaults if row is not None else {}, unasked=False),
                "grants": len(row.defaults.get("env") or []) if row is not None else 0,
                "rules": len(row.defaults.get("tool_rules") or []) if row is not None else 0,
                "tasks": Task.select().where(Task.workspace == path, Task.archived_at.is_null()).count(),
            }
        )
    return found


@authority(Authority.PAGE)
def browse() -> str:
    """The folders inside `?path=`, as a partial of the form."""
    return frame.page(
        "parts/browser.html", browser=_browsed(request.args.get("path", "") or str(Path.home()))
    )


def _browsed(path: str) -> dict[str, Any] | None:
    """What a folder holds; a sentence in `problem` when it cannot be listed."""
    if not path:
        return None
    try:
        return folders_in(_at_home(path[:4096]))
    except BadRequest as error:
        return {"path": path, "parent": None, "directories": [], "truncated": False, "problem": error.detail}


def _at_home(path: str) -> str:
    """People type `~` for their home folder."""
    return str(Path.home()) + path[1:] if path == "~" or path.startswith("~/") else path


@forms.action("add")
def add() -> BaseResponse:
    path = forms.field("path")
    if not path:
        raise BadRequest("Write the path of a folder, or choose one.")
    workspaces.register(_at_home(path), services().home)
    return forms.leave("/ui/workspaces")


@forms.action(lambda id: f"workspace:{id}")
def defaults(id: str) -> BaseResponse:
    preset = forms.field("preset", 64)
    workspaces.change(id, {"preset": preset})
    return forms.leave("/ui/workspaces")


@forms.action(lambda id: f"workspace:{id}")
def remove(id: str) -> BaseResponse:
    workspaces.forget(id)
    return forms.leave("/ui/workspaces")
