"""The dashboard: one module per page, forms that work without JavaScript, and the partials that keep pages live."""

from __future__ import annotations

from flask import Flask

from web.pages import (
    access,
    archive,
    assets,
    audit,
    board,
    changes,
    commenting,
    compose,
    context,
    costs,
    decisions,
    deleted,
    failures,
    frame,
    group_diff,
    groups,
    hosts,
    inbox,
    landing,
    pictures,
    policies,
    push,
    repositories,
    reviewing,
    rules,
    runners,
    scopes,
    search,
    secrets,
    sessions,
    settings,
    steering,
    task,
    timeline,
    transcripts,
    trust,
    undo,
    words,
    workspace_checks,
    workspace_setup,
    workspaces,
)


def install(app: Flask) -> None:
    """Register the pages, their assets and how they fail."""
    assets.install(app)
    words.install(app)
    frame.install(app)
    for page in (
        access,
        archive,
        deleted,
        board,
        compose,
        group_diff,
        groups,
        inbox,
        steering,
        repositories,
        workspaces,
        workspace_setup,
        workspace_checks,
        runners,
        sessions,
        transcripts,
        costs,
        audit,
        search,
        settings,
        secrets,
    ):
        page.install(app)
    for page in (
        task,
        timeline,
        changes,
        scopes,
        context,
        pictures,
        reviewing,
        commenting,
        landing,
        push,
        undo,
        decisions,
        hosts,
        rules,
        policies,
        trust,
    ):
        page.install(app)
    failures.install(app)
