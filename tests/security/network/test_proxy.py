"""How the proxy lives: it carries much, tells little, keeps nothing of its shim's, and ends with it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from shared.errors import SandboxFailed
from tests.integration.attempts.driver import Run
from tests.security.network.world import BLOB, PROXY, World
from tests.waiting import wait_until
from workers.attempts.sandbox import Bounds, confine

pytestmark = pytest.mark.sandbox
ROOT = Path(__file__).parents[3]
AS_A_USER = Path(__file__).with_name("as_a_user.py")


def test_repeated_refusals_become_few_notes_that_count_all(world: World) -> None:
    run = world.sh("for i in $(seq 60); do curl -s -o /dev/null http://no.example/; done")
    assert run.ended(60).code == 0
    assert world.told(run) == {("no.example", 80, "refused"): 60}
    assert len(run.notes()) < 15


UPLOAD = """
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as made:
    made.sendall(f"CONNECT {sys.argv[2]} HTTP/1.1\\r\\n\\r\\n".encode())
    assert b" 200 " in made.recv(1000)
    made.sendall(b"POST /echo HTTP/1.0\\r\\n\\r\\n" + open("blob", "rb").read())
    made.shutdown(socket.SHUT_WR)
    print("up", made.recv(1000).decode())
"""


def test_large_transfers_are_whole_in_both_directions_at_once(world: World) -> None:
    to = f"127.0.0.2:{world.services['allowed'].port}"
    (world.folder / "worktree/blob").write_bytes(BLOB)
    (world.folder / "worktree/upload.py").write_text(UPLOAD)
    run = world.sh(
        f"python3 upload.py {PROXY} {to} & curl -sf http://{to}/blob | sha256sum; curl -sfp http://{to}/blob | sha256sum; wait"
    )
    assert run.ended(60).code == 0, run.text(2)
    digest = hashlib.sha256(BLOB).hexdigest()
    assert sorted(run.text().decode().split()) == sorted([digest, "-", digest, "-", "up", digest])


def test_more_connections_than_it_serves_wait_and_are_served(world: World) -> None:
    port = world.services["allowed"].port
    program = (
        "import socket\n"
        f"made = [socket.create_connection(('127.0.0.1', {PROXY})) for _ in range(180)]\n"
        "def ask(one):\n"
        "    one.settimeout(20)\n"
        f"    one.sendall(b'GET http://127.0.0.2:{port}/crowd HTTP/1.1\\r\\n\\r\\n')\n"
        "    got = b''\n"
        "    while data := one.recv(4096): got += data\n"
        "    one.close()\n"
        "    return got.endswith(b'allowed')\n"
        "print(sum(ask(one) for one in made))\n"
    )
    (world.folder / "worktree/crowd.py").write_text(program)
    run = world.start("python3", "crowd.py")
    assert run.ended(60).code == 0, run.text(2)
    assert run.text() == b"180\n"


def proxy_of(run: Run) -> psutil.Process:
    """The process that is a fork of the shim and serves its agent."""
    shim = psutil.Process(run.shim()[0])
    return next(child for child in shim.children() if child.cmdline() == shim.cmdline())


def test_the_proxy_ends_with_a_killed_shim_and_after_a_stop(world: World) -> None:
    runs = [
        world.sh("echo ready; trap '' TERM; while :; do sleep 1; done", ladder=[("TERM", 0.1)])
        for _ in range(2)
    ]
    for run in runs:
        run.shows(b"ready")
    proxies = [proxy_of(run) for run in runs]
    runs[0].kill_shim()
    runs[1].ask("stop", id="1", why="user")
    wait_until(lambda: not any(proxy.is_running() for proxy in proxies), 5, what="the proxies to be gone")
    for run in runs:
        run.all_is_gone()


def test_a_stop_signals_the_agent_and_counts_it_not_its_proxy(world: World) -> None:
    run = world.sh(
        "trap 'curl -s http://late.example/; exit 9' TERM; echo ready; while :; do sleep 0.05; done"
    )
    run.shows(b"ready")
    run.ask("stop", id="1", why="user")
    ended = run.ended()
    assert (ended.code, ended.stragglers) == (9, 0)
    assert world.told(run) == {("late.example", 80, "refused"): 1}, (
        "the proxy served until the agent had ended"
    )


def test_the_proxy_keeps_nothing_of_the_shim_open(world: World) -> None:
    run = world.sh("echo ready; read line")
    run.shows(b"ready")
    found = proxy_of(run)
    kinds = [os.readlink(f"/proc/{found.pid}/fd/{name}") for name in os.listdir(f"/proc/{found.pid}/fd")]
    files = {kind for kind in kinds if kind.startswith("/")}
    assert files <= {"/dev/null", str(run.directory / "shim.err")}
    assert sum(kind.startswith("pipe") for kind in kinds) == 1
    assert len(kinds) < 16
    run.ask("stop", id="1", why="user")
    run.ended()


@pytest.mark.parametrize("broken", ["--unshare-net", "gone"])
def test_without_its_proxy_the_agent_does_not_start(
    world: World, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounds = Bounds(
        world.folder / "worktree", world.folder / "worktree", world.folder / "home", network="proxied"
    )
    confined = confine(["/bin/sh", "-c", "echo ran > ran"], bounds)
    if broken == "--unshare-net":  # it would listen on the host's own loopback
        confined = replace(confined, argv=[word for word in confined.argv if word != broken])
        network = world.network()
    else:
        network = world.network(port=-1)
    run = Run(world.folder / f"attempts/broken-{broken}")
    world.runs.append(run)
    with pytest.raises(SandboxFailed, match="way to the network"):
        run.start("x", confinement=confined, network=network)
    ended = run.ended()
    assert (ended.code, ended.signal) == (None, None)
    assert not (world.folder / "worktree/ran").exists()


def test_an_ordinary_user_can_listen_in_a_sandbox_of_theirs() -> None:
    """Root may enter any network; a user enters theirs by way of its user namespace."""
    run = [sys.executable, "-P", str(AS_A_USER)]
    done = subprocess.run(
        run, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=30
    )
    assert done.stdout == "127.0.0.1 heard\n", done.stderr
