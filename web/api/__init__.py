"""The REST API at the root: one file per resource, each a thin layer over the verbs."""

from __future__ import annotations

from flask_openapi import OpenAPI

from web import metrics
from web.api import (
    access,
    approvals,
    audit,
    comments,
    costs,
    deleted,
    diffs,
    document,
    events,
    groups,
    health,
    presets,
    review,
    reviewing,
    runners,
    search,
    secrets,
    sessions,
    steering,
    tasks,
    tokens,
    transcripts,
    trust,
    versions,
    workspaces,
)

RESOURCES = (
    health,
    runners,
    sessions,
    transcripts,
    workspaces,
    trust,
    presets,
    tasks,
    deleted,
    groups,
    events,
    steering,
    approvals,
    diffs,
    review,
    reviewing,
    comments,
    versions,
    costs,
    audit,
    search,
    secrets,
    access,
    tokens,
    metrics,
)


def install(app: OpenAPI) -> None:
    """Register every resource."""
    resources = [module.api for module in RESOURCES]
    for resource in resources:
        app.register_api(resource)
    document.install(app, resources)
