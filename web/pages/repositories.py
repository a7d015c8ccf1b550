"""What workers saw in a workspace's folder: its branch, its branches, and whether something is uncommitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Flask, request

from shared import fleet, workspaces
from shared.store.models import Inspection as Row
from web import effects
from web.pages import frame
from web.security import Authority, authority, writes

WAIT_SECONDS = 1.5


@dataclass(frozen=True)
class Inspection:
    """`known` is false until a worker has looked."""

    known: bool = False
    repository: bool = False
    branch: str | None = None
    branches: Sequence[str] = ()
    dirty: bool = False
    problem: str | None = None


def install(app: Flask) -> None:
    app.add_url_rule("/ui/branches", "branches", branches)


@authority(Authority.PAGE)
@writes
def branches() -> str:
    """The choice of branches for `?workspace=`, after a worker has had a moment to look."""
    path = request.args.get("workspace", "")[:4096]
    workspaces.want_inspection([path])
    refreshed([path])
    return frame.page(
        "parts/branches.html",
        inspection=inspection(path),
        chosen=request.args.get("base_ref", ""),
        place=request.args.get("place", ""),
    )


def inspection(path: str) -> Inspection:
    return inspections([path])[path]


def inspections(paths: list[str]) -> dict[str, Inspection]:
    """By path; unknown ones are there too."""
    rows = workspaces.inspections(paths)
    return {path: _inspection(rows.get(path)) for path in paths}


def refreshed(paths: list[str]) -> None:
    """Wait until every one of these folders has been looked at, at most a moment."""

    def all_seen() -> bool | None:
        return None if set(workspaces.wanted_inspections()) & set(paths) else True

    effects.until(all_seen, WAIT_SECONDS if fleet.live_workers() else 0, 0.05)


def _inspection(row: Row | None) -> Inspection:
    if row is None or row.found is None:
        return Inspection()
    found = row.found
    return Inspection(
        known=True,
        repository=bool(found.get("repository")),
        branch=found.get("branch"),
        branches=[str(name) for name in found.get("branches") or []],
        dirty=bool(found.get("dirty")),
        problem=found.get("problem"),
    )
