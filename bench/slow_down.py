"""What the shim costs an agent: its output rate, its start, and its memory, beside doing without."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from workers.attempts import log, process

COMMAND = ("seq", "1", "1000000")
ROUNDS = 15
STARTS = 15
SHIMS = 20
BAR_SLOW_DOWN, BAR_START_SECONDS, BAR_PSS_MIB = 1.25, 0.035, 12.0
END_SECONDS = 60.0
ROOT = Path(__file__).parent.parent
BARE = f"""
import os, subprocess, time
from shared.secrets.redaction import Redactor
redactor = Redactor()
began = time.perf_counter()
agent = subprocess.Popen({COMMAND!r}, stdout=subprocess.PIPE)
while data := os.read(agent.stdout.fileno(), 1 << 17):
    redactor.feed(data)
agent.wait()
print(time.perf_counter() - began)
"""


def launch(name: str, *argv: str) -> process.Launch:
    return process.Launch(name, argv, {"PATH": os.environ["PATH"]}, "/")


def ended(directory: Path) -> process.Exit:
    until = time.monotonic() + END_SECONDS
    while not (found := process.read_exit(directory)):
        if time.monotonic() > until:
            raise SystemExit(f"{directory} did not end")
        time.sleep(0.002)
    return found


def through_shim(directory: Path) -> float:
    """Seconds from the agent's exec to its exit, as the shim's own clock of work has it."""
    process.start(directory, launch(directory.name, *COMMAND), lambda _: True)
    return ended(directory).runtime_millis / 1000


def through_pipe() -> float:
    """The same command through a bare pipe into an equally fresh redactor, dropped behind it."""
    done = subprocess.run([sys.executable, "-c", BARE], check=True, capture_output=True, cwd=ROOT)
    return float(done.stdout)


def start_seconds(directory: Path) -> float:
    """From the call to the agent's first byte in the log."""
    began = time.perf_counter()
    process.start(directory, launch(directory.name, "/bin/echo", "x"), lambda _: True)
    while not log.read(directory / "log", 0)[0]:
        time.sleep(0.0002)
    return time.perf_counter() - began


def bare_start_seconds() -> float:
    """A Python that does nothing, then the same echo: what no supervisor in Python can do without."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-I", "-S", "-c", "pass"], check=True)
    subprocess.run(["/bin/echo", "x"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def pss_mib(pid: int) -> float:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith("Pss:"))) / 1024


def shims_memory(folder: Path) -> float:
    """Mean PSS of quiet shims, each with an agent that waits."""
    directories = [folder / f"quiet{number}" for number in range(SHIMS)]
    for directory in directories:
        process.start(directory, launch(directory.name, "sleep", "300"), lambda _: True)
    identities = [process.read_identity(directory) for directory in directories]
    figure = statistics.mean(pss_mib(identity.shim_pid) for identity in identities if identity)
    for directory in directories:
        control = process.attach(directory)
        control.request("stop", id="bench", why="user", ladder=[])
        control.close()
    for directory in directories:
        ended(directory)
    return figure


def row(name: str, value: float, unit: str, yardstick: float, bar: str, ok: bool) -> dict[str, Any]:
    return {
        "name": name,
        "value": round(value, 4),
        "unit": unit,
        "yardstick": round(yardstick, 4),
        "ratio": round(value / yardstick, 2) if yardstick else None,
        "bar": bar,
        "ok": ok,
    }


def measure() -> list[dict[str, Any]]:
    """Rows {name, value, unit, yardstick, ratio, bar, ok}."""
    with tempfile.TemporaryDirectory(prefix="or-bench-") as name:
        folder = Path(name)
        pairs = [(through_shim(folder / f"seq{number}"), through_pipe()) for number in range(ROUNDS)]
        shim, pipe = (statistics.median(column) for column in zip(*pairs, strict=True))
        starts = statistics.median(start_seconds(folder / f"start{number}") for number in range(STARTS))
        bare = statistics.median(bare_start_seconds() for _ in range(STARTS))
        memory = shims_memory(folder)
    return [
        row("slow-down", shim, "s", pipe, f"<= {BAR_SLOW_DOWN} x", shim / pipe <= BAR_SLOW_DOWN),
        row("shim-start", starts, "s", bare, f"<= yardstick + {BAR_START_SECONDS} s", starts <= bare + BAR_START_SECONDS),
        row("shim-memory", memory, "MiB PSS at 20", 0, f"<= {BAR_PSS_MIB:.0f} MiB", memory <= BAR_PSS_MIB),
    ]  # fmt: skip


if __name__ == "__main__":
    for line in measure():
        print(json.dumps(line))
