"""The proxy of a contained attempt: what it carries, beside the same without it, and what it takes while it waits."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil

from bench.containment import NETWORK
from bench.idle import MEGABYTE, pss
from bench.places import home
from bench.samples import Row, median, row, until
from workers.attempts import log, process, sandbox
from workers.attempts.launch import Launch
from workers.attempts.sandbox import Bounds

SIZE_BYTES = 256 << 20
ROUNDS = 5
PORT = int(str(NETWORK["port"]))
LEAST_RATIO = 0.1
ATTEMPT_BYTES = 12e6
ENDS_SECONDS = 60.0


def measure() -> list[Row]:
    with home() as folder, served() as (host, port):
        direct, carried = [], []
        for number in range(ROUNDS):
            direct.append(downloaded(folder / f"direct-{number}", host, port, proxied=False))
            carried.append(downloaded(folder / f"proxied-{number}", host, port, proxied=True))
        quiet = resting(folder / "quiet")
    rate, yardstick = median(carried), median(direct)
    return [
        row(
            "proxy: download by it",
            rate / MEGABYTE,
            "MB/s",
            yardstick=yardstick / MEGABYTE,
            bar=f">= {LEAST_RATIO:g} x",
            ok=rate >= LEAST_RATIO * yardstick,
        ),
        row(
            "proxy: memory of a quiet attempt with it",
            quiet / MEGABYTE,
            "MB",
            bar=f"<= {ATTEMPT_BYTES / MEGABYTE:g} MB",
            ok=quiet <= ATTEMPT_BYTES,
        ),
    ]


@contextmanager
def served() -> Iterator[tuple[str, int]]:
    """A server that answers each request with so many bytes, at an address that no sandbox has for its own."""
    piece = os.urandom(1 << 20)
    listener = socket.create_server(("127.0.0.2", 0))

    def serve() -> None:
        while True:
            try:
                endpoint, _ = listener.accept()
            except OSError:
                return
            with endpoint:
                endpoint.recv(65536)
                endpoint.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
                for _ in range(SIZE_BYTES // len(piece)):
                    endpoint.sendall(piece)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[:2]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def launched(directory: Path, command: str, network: dict[str, object] | None) -> None:
    worktree = directory.with_name(f"{directory.name}-worktree")
    worktree.mkdir()
    bounds = Bounds(worktree, worktree, worktree / "home", network="proxied" if network else "shared")
    confined = sandbox.confine(["/bin/sh", "-c", command], bounds)
    env = {"PATH": "/usr/bin:/bin"}
    launch = Launch(directory.name, ["sh"], env, "/", confinement=confined, network=network)
    process.start(directory, launch, lambda _: True)


def downloaded(directory: Path, host: str, port: int, *, proxied: bool) -> float:
    """Bytes per second, by curl's own clock."""
    way = f"-x http://127.0.0.1:{PORT}" if proxied else ""
    command = f"curl -sf {way} -o /dev/null -w '%{{speed_download}}' http://{host}:{port}/"
    launched(directory, command, {**NETWORK, "listed": [(host, port)]} if proxied else None)
    until(lambda: process.state(directory) == "exited", ENDS_SECONDS, every=0.01, what="the download")
    return float(said(directory))


def said(directory: Path) -> bytes:
    return b"".join(frame.payload for frame in log.read(directory / "log", 0)[0] if frame.stream == 1)


def resting(directory: Path) -> float:
    """PSS in bytes of all of an attempt that waits: shim, proxy, sandbox and shell."""
    launched(directory, "echo ready; exec sleep 600", dict(NETWORK))
    until(lambda: b"ready" in said(directory), ENDS_SECONDS, every=0.01, what="the agent to be ready")
    time.sleep(1)
    found = process.read_identity(directory)
    if found is None:
        raise AssertionError("the shim has gone")
    shim = psutil.Process(found.shim_pid)
    taken = float(sum(pss(one.pid) for one in (shim, *shim.children(recursive=True))))
    with closing(process.attach(directory)) as control:
        control.request("stop", id="end", why="user")
    until(lambda: process.state(directory) == "exited", ENDS_SECONDS, every=0.01, what="its end")
    return taken


if __name__ == "__main__":
    for result in measure():
        print(result)
