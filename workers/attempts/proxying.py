"""Finds out whether a contained agent's network can be given our proxy here, by giving it to one that does nothing."""

from __future__ import annotations

import functools
import tempfile
import time
from pathlib import Path
from uuid import uuid4

from shared.errors import OpenRuntimeError
from workers.attempts import process, sandbox
from workers.attempts.launch import Launch

NOBODYS_PORT = 3128
PROBE_SECONDS, LOOK_SECONDS = 15.0, 0.005


@functools.cache
def problem() -> str | None:
    """Why not, in a sentence; None where it can. Found once a process, `problem.cache_clear()` makes the next call try
    again.
    """
    with tempfile.TemporaryDirectory(prefix="openruntime-probe-", ignore_cleanup_errors=True) as folder:
        try:
            _try_it(Path(folder))
        except (OpenRuntimeError, OSError) as error:
            return str(error)
    return None


def _try_it(folder: Path) -> None:
    bounds = sandbox.Bounds(folder, folder, folder / "home", network="proxied")
    launch = Launch(
        attempt_id=f"probe-{uuid4()}",
        argv=["true"],
        env={},
        cwd=str(folder),
        confinement=sandbox.confine(["/bin/true"], bounds),
        network={"port": NOBODYS_PORT, "listed": [], "model": [], "forwards": [], "ours": []},
        wall_seconds=PROBE_SECONDS,
    )
    directory = folder / "attempt"
    process.start(directory, launch, lambda _: True, timeout_seconds=PROBE_SECONDS)
    until = time.monotonic() + PROBE_SECONDS
    while process.state(directory) == "alive" and time.monotonic() < until:
        time.sleep(LOOK_SECONDS)
