"""What each tier of containment adds to an attempt of `true`, beside the same below a shim alone and a bare spawn."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from bench.places import home
from bench.samples import Row, percentile, row, until
from workers.attempts import process, sandbox
from workers.attempts.launch import Launch
from workers.attempts.sandbox import Bounds, Confined
from workers.shim import landlock

SAMPLES, WARM_UP = 60, 3
PROGRAM = "/bin/true"
PROXIED = "bubblewrap with a proxy"
#: What a proxy is told that leads to one host.
NETWORK = {"port": 3128, "listed": [("example.com", None)], "model": [], "forwards": [], "ours": []}
ENDS_SECONDS = 20.0
OVER_MILLISECONDS, PROXY_MILLISECONDS = 40.0, 60.0


def measure() -> list[Row]:
    """Milliseconds at the median, from the start to the durable exit record; all in turn."""
    tiers = ["bubblewrap", PROXIED, *(["landlock"] if landlock.version() else [])]
    with home() as folder:
        confined = {name: confine(folder / name.replace(" ", "-"), name) for name in tiers}
        ways: dict[str, Confined | None] = {"shim alone": None, **confined}
        took: dict[str, list[float]] = {name: [] for name in ("bare", *ways)}
        for number in range(SAMPLES + WARM_UP):
            once = {
                "bare": bare(),
                **{
                    name: attempt(folder / f"{name.replace(' ', '-')}-{number}", how, name == PROXIED)
                    for name, how in ways.items()
                },
            }
            if number >= WARM_UP:
                for name, milliseconds in once.items():
                    took[name].append(milliseconds)
    middle = {name: percentile(samples, 0.5) for name, samples in took.items()}
    shim = row(
        "containment: shim alone", middle["shim alone"], "ms", yardstick=middle["bare"], bar="–", ok=True
    )
    return [shim, *(over(name, middle[name], middle["shim alone"]) for name in tiers)]


def over(name: str, value: float, yardstick: float) -> Row:
    allowed = OVER_MILLISECONDS + (PROXY_MILLISECONDS if name == PROXIED else 0)
    bar = f"<= yardstick + {allowed:g} ms"
    return row(
        f"containment: {name}",
        value,
        "ms",
        yardstick=yardstick,
        bar=bar,
        ok=value <= yardstick + allowed,
    )


def confine(folder: Path, tier: str) -> Confined:
    for name in ("worktree", "scratch"):
        (folder / name).mkdir(parents=True)
    worktree = folder / "worktree"
    bounds = Bounds(
        worktree,
        worktree,
        folder.parent,
        scratch=folder / "scratch",
        network="proxied" if tier == PROXIED else "own",
    )
    return sandbox.confine([PROGRAM], bounds, "landlock" if tier == "landlock" else "bubblewrap")


def bare() -> float:
    before = time.perf_counter()
    subprocess.run([PROGRAM], check=True)
    return 1000 * (time.perf_counter() - before)


def attempt(directory: Path, confined: Confined | None, proxied: bool) -> float:
    before = time.perf_counter()
    launch = Launch(
        directory.name,
        [PROGRAM],
        {"PATH": "/usr/bin:/bin"},
        "/",
        confinement=confined,
        network=NETWORK if proxied else None,
    )
    process.start(directory, launch, lambda _: True)
    until(lambda: process.state(directory) == "exited", ENDS_SECONDS, every=0.001, what="the exit record")
    took = 1000 * (time.perf_counter() - before)
    found = process.read_exit(directory)
    if found is None or found.code != 0:
        raise AssertionError(f"the attempt did not run: {found}")
    return took


if __name__ == "__main__":
    for result in measure():
        print(result)
