"""Which runners there are: ours by name, then those that installed packages offer by entry point."""

from __future__ import annotations

import logging
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from shared.errors import NotReady
from workers.runners import Runner

log = logging.getLogger(__name__)

BUILT_IN = {
    "codex": "workers.runners.codex",
    "claude-code": "workers.runners.claude",
    "shell": "workers.runners.shell",
}
GROUP = "openruntime.runners"


def names() -> list[str]:
    """Every registered runner: the built-in ones in the reference system's order, then the others."""
    return [*BUILT_IN, *sorted(_offered())]


def get(name: str) -> Runner:
    """The runner of this name; raises NotReady with one sentence when it is missing or broken."""
    try:
        if name in BUILT_IN:
            return cast(Runner, import_module(BUILT_IN[name]))
        found = _offered()[name].load()
    except KeyError:
        raise NotReady(f"No runner named {name!r} is installed here.") from None
    except Exception as error:
        log.warning("the runner %s cannot be loaded", name, exc_info=True)
        raise NotReady(f"The runner {name!r} cannot be loaded: {error}") from error
    if not isinstance(found, Runner):
        raise NotReady(f"The runner {name!r} does not have everything a runner needs; see docs/runners.md.")
    return found


def _offered() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP) if point.name not in BUILT_IN}
