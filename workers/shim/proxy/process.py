"""The proxy as a process: a fork of the shim that keeps nothing of it, and ends with it."""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress

from workers.shim import spawn
from workers.shim.proxy import listening
from workers.shim.proxy.destinations import Destinations
from workers.shim.proxy.serving import Proxy
from workers.shim.proxy.tally import Tally

TYPE_CHECKING = False  # checkers read it as true; importing typing for it would cost every shim 3 ms
if TYPE_CHECKING:
    from typing import Any, NoReturn

STACK_BYTES = 256 << 10
MAX_DESCRIPTORS = 1 << 20


def start(network: Mapping[str, Any], sandbox: Mapping[str, Any]) -> tuple[int, int]:
    """Fork it: (its pid, the pipe on which it reports). Lines of JSON: {"ready": true} once it listens, or
    {"problem": "…"} and its end; then what the tally tells. A TERM makes it tell the rest and end.

    `network` is the launch's {"port", "listed", "model", "ours", "forwards"}; `sandbox` what bubblewrap reported of
    its first process. To be called while this process has one thread.
    """
    reports, report = os.pipe()
    gc.freeze()  # what is there now stays: neither side's collector writes to pages that both share
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        os.close(reports)
        _become(network, sandbox, report, parent)
    os.close(report)
    os.set_blocking(reports, False)
    return pid, reports


def _become(network: Mapping[str, Any], sandbox: Mapping[str, Any], report: int, parent: int) -> NoReturn:
    """The child's side. It never returns."""
    try:
        spawn.die_with_parent(parent)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.closerange(0, 2)  # the starter waits for the end of the shim's output
        os.closerange(3, report)  # the agent's pipes, the log, the lock: none of it is its own
        os.closerange(report + 1, MAX_DESCRIPTORS)
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 1)
        ports = [network["port"], *(port for _, port in network["forwards"])]
        _serve(network, listening.inside(sandbox["child-pid"], ports, sandbox.get("net-namespace")), report)
    except Exception as error:  # noqa: BLE001 - whatever it is, the shim must hear of it
        _say(report, {"problem": f"The agent's way to the network could not be made: {error}."})
    finally:
        os._exit(0)


def _serve(network: Mapping[str, Any], listeners: Sequence[tuple[int, socket.socket]], report: int) -> None:
    listed, model, forwards = (
        [(host, port) for host, port in network[name]] for name in ("listed", "model", "forwards")
    )
    destinations = Destinations(listed, model, forwards, network["ours"])
    os.set_blocking(report, False)
    tally = Tally(report)
    threading.stack_size(STACK_BYTES)
    signal.signal(signal.SIGTERM, _end)
    _say(report, {"ready": True})
    try:
        Proxy(destinations, tally, network["port"], {to[1]: to for to in forwards}).serve(listeners)
    finally:
        tally.tell(all_of_it=True)


def _end(*_: object) -> NoReturn:
    raise SystemExit


def _say(report: int, message: Mapping[str, object]) -> None:
    with suppress(OSError):
        os.write(report, json.dumps(message).encode() + b"\n")
