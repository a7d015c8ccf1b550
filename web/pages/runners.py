"""The runners of this machine: found, missing, and how to fix it; and what contains them."""

from __future__ import annotations

from typing import Any

from flask import Flask

from shared import fleet
from web.pages import frame
from web.security import Authority, authority


def install(app: Flask) -> None:
    app.add_url_rule("/ui/runners", "runners_page", runners)


@authority(Authority.PAGE)
def runners() -> str:
    return frame.page(
        "runners.html", runners=described(), containment=containment(), workers=fleet.live_workers()
    )


def described() -> list[dict[str, Any]]:
    """Each runner's state, with the command that would fix it."""
    return [{"state": state, "fix": _fix(state)} for state in fleet.runners()]


def _fix(state: fleet.RunnerState) -> str | None:
    """The one command to type, where the adapter names one."""
    install = str((state.capabilities or {}).get("install") or "")
    if state.available or " " not in install or install[:1].isupper():
        return None
    return install


def containment() -> dict[str, Any] | None:
    """What workers found out about this host: `tier`, `works`, `detail`, `fix` (commands); None before they have."""
    for state in fleet.runners():
        found = (state.capabilities or {}).get("containment")
        if isinstance(found, dict):
            return found
    return None
