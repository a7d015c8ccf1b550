"""The REST API at the root: one file per resource, each a thin layer over the verbs."""

from __future__ import annotations

from flask_openapi import OpenAPI

from web.api import access, approvals, document, events, health, review, runners, steering, tasks, workspaces


def install(app: OpenAPI) -> None:
    """Register every resource."""
    for resource in (health, runners, workspaces, tasks, events, steering, approvals, review, access):
        app.register_api(resource.api)
    document.install(app)
