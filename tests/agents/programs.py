"""The real agent programs at pinned versions, from the npm registry, in a cache folder of the checkout."""

from __future__ import annotations

import fcntl
import subprocess
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".cache/agents"
PINNED = {"claude": ("@anthropic-ai/claude-code", "2.1.197")}
INSTALL_SECONDS = 300


def folder_of(program: str) -> Path:
    """The folder that holds the program, installed on first use (one installer at a time)."""
    package, version = PINNED[program]
    prefix = CACHE / f"{program}-{version}"
    found = prefix / "node_modules/.bin"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{program}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (found / program).exists():
            subprocess.run(
                [
                    "npm",
                    "install",
                    "--no-audit",
                    "--no-fund",
                    "--prefix",
                    str(prefix),
                    f"{package}@{version}",
                ],
                check=True,
                timeout=INSTALL_SECONDS,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
    return found
