"""How a workspace's new worktrees are made ready for their agents."""

from __future__ import annotations

from flask import Flask
from werkzeug.wrappers import Response as BaseResponse

from shared import workspaces, worktree_setup
from shared.errors import WrongShape
from web.api import schemas
from web.pages import forms, frame, workspace_checks
from web.security import Authority, authority


def install(app: Flask) -> None:
    app.add_url_rule("/ui/workspaces/<id>/setup", "workspace_setup", page)
    app.add_url_rule("/ui/workspaces/<id>/setup/write", "workspace_setup_form", write, methods=["POST"])


@authority(Authority.PAGE)
def page(id: str) -> str:
    """The commands, and which files are copied."""
    row = workspaces.get(id)
    return frame.page(
        "workspace_setup.html",
        workspace=row,
        said=row.defaults,
        minutes=_minutes(row.defaults),
        checks=workspace_checks.shown(row.defaults),
    )


def _minutes(defaults: dict[str, int]) -> int:
    return round((defaults.get("setup_seconds") or worktree_setup.DEFAULT_SECONDS) / 60)


@forms.action("setup")
def write(id: str) -> BaseResponse:
    minutes = forms.field("minutes", 8)
    most = worktree_setup.MOST_SECONDS // 60
    if not (minutes.isdigit() and 1 <= int(minutes) <= most):
        raise WrongShape(f"The time limit is a number of minutes from 1 to {most}.", field="setup_seconds")
    workspaces.change(
        id,
        {
            "setup": forms.field("setup", schemas.PROMPT_BYTES) or None,
            "teardown": forms.field("teardown", schemas.PROMPT_BYTES) or None,
            "setup_seconds": int(minutes) * 60,
            "setup_mode": None if forms.field("required", 8) else "advisory",
            "setup_from_repository": True if forms.field("from_repository", 8) else None,
            "worktree_include": None if forms.field("include", 8) else False,
        },
    )
    return forms.leave(f"/ui/workspaces/{id}/setup")
