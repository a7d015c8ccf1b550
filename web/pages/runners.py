"""The runners of this machine: found, missing, and how to fix it; and what contains them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask

from shared import fleet
from shared.policy import report
from web.pages import frame
from web.security import Authority, authority


def install(app: Flask) -> None:
    app.add_url_rule("/ui/runners", "runners_page", runners)


@authority(Authority.PAGE)
def runners() -> str:
    return frame.page(
        "runners.html",
        runners=described(),
        containment=containment(),
        tiers=report.TIERS,
        matrix=report.matrix(),
        workers=fleet.live_workers(),
    )


def described() -> list[dict[str, Any]]:
    """Each runner's state, with the command that would fix it."""
    return [
        {"state": state, "fix": _fix(state), "abilities": _abilities(state.capabilities or {})}
        for state in fleet.runners()
    ]


def _abilities(known: Mapping[str, Any]) -> list[str]:
    """What people can do with its tasks, in words."""
    replies = {"live": "takes replies while it works", "resume": "takes replies when its turn is over"}
    found = [replies.get(str(known.get("reply")), "")]
    found += ["asks before it acts"] if known.get("approvals") else []
    found += ["can be interrupted"] if known.get("interrupt") else []
    found += ["sessions can be resumed"] if known.get("sessions") else []
    modes = [str(mode) for mode in known.get("modes") or []]
    found += [f"modes: {', '.join(modes)}"] if len(modes) > 1 else []
    return [ability for ability in found if ability]


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
