"""The real agent programs at pinned versions, from the npm registry, in a cache folder of the checkout."""

from __future__ import annotations

import contextlib
import fcntl
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".cache/agents"
INSTALL_SECONDS = 300
DUMMY_KEY = "dummy-key-0123456789"


@dataclass(frozen=True)
class Pinned:
    """A package, its version, and where in it the program itself lies (not a launcher that starts it)."""

    package: str
    version: str
    place: str


PINNED = {
    "claude": Pinned("@anthropic-ai/claude-code", "2.1.197", "node_modules/.bin/claude"),
    #: Not the launcher: when it is killed, the native program goes on and finishes the turn.
    "codex": Pinned("@openai/codex", "0.169.0", "node_modules/@openai/codex-*/vendor/*/bin/codex"),
    "opencode": Pinned("opencode-ai", "1.18.33", "node_modules/.bin/opencode"),
}

#: A provider on loopback; this model gets `exec_command` and `apply_patch`, a gpt-6 one gets the code mode.
CODEX_CONFIG = """\
model = "{model}"
model_provider = "scripted"
check_for_update_on_startup = false

[model_providers.scripted]
name = "scripted"
base_url = "{address}/v1"
wire_api = "responses"
env_key = "CODEX_TEST_KEY"
request_max_retries = 2
stream_max_retries = 2

[analytics]
enabled = false
"""


def folder_of(program: str) -> Path:
    """The folder that holds the program, installed on first use (one installer at a time)."""
    pinned = PINNED[program]
    prefix = CACHE / f"{program}-{pinned.version}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{program}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not list(prefix.glob(pinned.place)):
            words = ("--no-audit", "--no-fund", "--prefix", str(prefix), f"{pinned.package}@{pinned.version}")
            subprocess.run(
                ["npm", "install", *words],
                check=True,
                timeout=INSTALL_SECONDS,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
    return next(prefix.glob(pinned.place)).parent


@contextlib.contextmanager
def codex_home(address: str, model: str = "gpt-5.5") -> Iterator[dict[str, str]]:
    """A CODEX_HOME whose model is the server at `address`, and the settings that lead Codex to it.

    In the cache, not under the temporary folder: there Codex makes no aliases, and without them its own sandbox
    cannot start ("bwrap: execvp codex-linux-sandbox: No such file or directory").
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="home-", dir=CACHE, ignore_cleanup_errors=True) as folder:
        Path(folder, "config.toml").write_text(CODEX_CONFIG.format(model=model, address=address))
        yield {"CODEX_HOME": folder, "CODEX_TEST_KEY": DUMMY_KEY}


def claude_settings(address: str) -> dict[str, str]:
    """The settings that lead Claude Code to the server at `address`."""
    return {"ANTHROPIC_BASE_URL": address, "ANTHROPIC_API_KEY": DUMMY_KEY}
