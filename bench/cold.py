"""From `openruntime up` in an empty data directory to a `/health` that says ok, beside an import of Flask."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from bench.foreground import up
from bench.places import home
from bench.samples import Row, median, row

ROUNDS = 5
BAR_SECONDS = 2.5


def measure(rounds: int = ROUNDS) -> list[Row]:
    """Median seconds of several first starts; the yardstick's import is in turn with them."""
    ours, flask = [], []
    with home() as folder:
        for number in range(rounds):
            flask.append(imported(folder))
            with up(folder / f"data-{number}", folder) as foreground:
                ours.append(foreground.serving_seconds)
    value = median(ours)
    bar = f"<= {BAR_SECONDS:g} s"
    return [row("cold start", value, "s", yardstick=median(flask), bar=bar, ok=value <= BAR_SECONDS)]


def imported(folder: Path) -> float:
    before = time.monotonic()
    subprocess.run([sys.executable, "-P", "-c", "import flask"], cwd=folder, check=True)
    return time.monotonic() - before


if __name__ == "__main__":
    for result in measure():
        print(result)
