"""What a contained agent reaches: what is listed, by our proxy, and nothing else, however it asks."""

from __future__ import annotations

import json
import os
import shutil
import socket
from pathlib import Path

import psutil
import pytest

from tests.integration.attempts.driver import Run
from tests.security.network.world import PROXY, World

pytestmark = pytest.mark.sandbox
RED_TEAM = Path(__file__).with_name("red_team.py")


@pytest.fixture(scope="module")
def attack(world: World) -> tuple[dict[str, str], Run]:
    """Everything the red team tried, with what it got, in one sandbox."""
    shutil.copy(RED_TEAM, world.folder / "worktree/red_team.py")
    name = f"or-network-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind(f"\0{name}")
        abstract.listen()
        given = {service: found.port for service, found in world.services.items()}
        given |= {"proxy": PROXY, "abstract": name, "address": _own_address()}
        run = world.start("python3", "red_team.py", json.dumps(given))
        ended = run.ended(60)
    assert ended.code == 0, run.text(2).decode()
    return dict(map(json.loads, run.text().decode().splitlines())), run


def _own_address() -> str:
    """An address of this host beside loopback, where it has one."""
    found = [
        address.address
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family is socket.AF_INET and not address.address.startswith("127.")
    ]
    return found[0] if found else "127.0.0.1"


def test_no_way_leads_to_what_is_not_listed(world: World, attack: tuple[dict[str, str], Run]) -> None:
    got, _ = attack
    tried = [
        what
        for what in got
        if not what.startswith(
            ("allowed", "forwarded", f"CONNECT 127.0.0.2:{world.services['allowed'].port}")
        )
    ]
    assert len(tried) > 55
    reached = {
        what: got[what]
        for what in tried
        if "200" in got[what] or any(name in got[what] for name in world.services)
    }
    assert reached == {}
    assert world.services["secret"].asked == world.services["ours"].asked == []


def test_straight_out_there_is_nothing(attack: tuple[dict[str, str], Run]) -> None:
    got, _ = attack
    direct = {what: said for what, said in got.items() if what.startswith("direct")}
    assert len(direct) == 13
    answered = {what: said for what, said in direct.items() if not said.startswith("refused")}
    assert answered == {"direct: our own port": "closed"} or answered == {}


def test_what_is_listed_is_reached_by_every_protocol_once_per_request(
    world: World, attack: tuple[dict[str, str], Run]
) -> None:
    got, _ = attack
    port = world.services["allowed"].port
    for what in (
        "allowed: spoofed Host",
        "allowed: two requests",
        "allowed: behind a body",
        "allowed: chunks",
        f"CONNECT 127.0.0.2:{port}",
    ):
        assert got[what].endswith("allowed"), (what, got[what])
    assert got["allowed: SOCKS"].endswith("allowed")
    assert got["forwarded"].endswith("forwarded")
    asked = [line for line in world.services["allowed"].asked if "/blob" not in line and "/echo" not in line]
    assert sorted(line for line in asked if "broken" not in line) == [
        "GET /first HTTP/1.1", "GET /socks HTTP/1.0", "GET /spoof HTTP/1.1", "GET /tunnel HTTP/1.0",
        "POST /body HTTP/1.1", "POST /chunks HTTP/1.1",
    ]  # fmt: skip


def test_the_agent_reads_why_and_the_log_says_how_often(
    world: World, attack: tuple[dict[str, str], Run]
) -> None:
    got, run = attack
    secret, allowed = world.services["secret"].port, world.services["allowed"].port
    refusal = got[f"CONNECT 127.0.0.1:{secret}"]
    assert refusal.startswith("HTTP/1.1 403 Forbidden\r\n")
    assert refusal.endswith(f"127.0.0.1:{secret} is not among the hosts this task may reach.\n")
    told = world.told(run)
    assert told["127.0.0.2", allowed, "allowed"] == 7
    assert told["127.0.0.1", secret, "refused"] == 3, "by CONNECT, plainly, and by SOCKS"
    assert told["127.0.0.2", 22, "refused"] == 1
    assert told["", 0, "refused"] >= 10, "malformed ones, together"
