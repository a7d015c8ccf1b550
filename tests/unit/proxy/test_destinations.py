"""Which address a listed name may stand for: looked up on the host, checked, and connected to as it was checked."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from typing import Any

import pytest

from shared.network.hosts import parsed
from workers.shim.proxy.destinations import Denied, Destinations, Unreachable, is_public


@pytest.mark.parametrize(
    "address",
    """
    127.0.0.1 127.8.9.1 0.0.0.0 10.0.0.1 172.16.5.4 192.168.1.1 169.254.169.254 169.254.170.2 100.64.0.1 100.100.100.200
    192.0.0.192 198.18.0.1 224.0.0.1 240.0.0.1 255.255.255.255 168.63.129.16 ::1 :: fe80::1 fc00::1 fd00:ec2::254 fec0::1
    ff02::1 2001:db8::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe
    2002:7f00:1:: 2002:a00:1:: 2001:0:53aa:64c:0:0:80ff:fffe
    """.split(),
)
def test_addresses_of_this_host_of_private_networks_and_of_metadata_services_are_not_public(
    address: str,
) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "address", "1.1.1.1 93.184.215.14 2606:4700:4700::1111 ::ffff:1.1.1.1 64:ff9b::101:101".split()
)
def test_addresses_of_the_internet_are(address: str) -> None:
    assert is_public(ip_address(address))


class Names:
    """A resolver that knows what it was told, one answer after the other."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    def __call__(self, name: str, port: int, **_: Any) -> list[Any]:
        self.asked.append((name, port))
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]


@pytest.mark.parametrize("leads_to", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "::ffff:127.0.0.1"])
def test_a_listed_name_that_leads_into_a_private_network_is_refused(leads_to: str) -> None:
    destinations = Destinations(
        parsed(["rebound.example", "*.rebound.example"]), [], [], [], Names([leads_to])
    )
    for name in ("rebound.example", "a.rebound.example"):
        with pytest.raises(Denied, match="private network"):
            destinations.connect(name, 443)


def test_it_is_reached_where_that_address_is_listed_as_well() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        listed = parsed([f"inner.example:{port}", f"127.0.0.1:{port}"])
        Destinations(listed, [], [], [], Names(["127.0.0.1"])).connect("inner.example", port).close()
        for elsewhere in (parsed([f"inner.example:{port}"]), parsed([f"127.0.0.1:{port}"])):
            with pytest.raises(Denied):
                Destinations(elsewhere, [], [], [], Names(["127.0.0.1"])).connect("inner.example", port)


def test_a_name_is_looked_up_once_and_the_address_that_was_checked_is_the_one_connected_to() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_server(("127.0.0.2", 0)) as other:
        port = server.getsockname()[1]
        names = Names(["127.0.0.1"], ["127.0.0.2"])
        listed = parsed([f"flips.example:{port}", f"127.0.0.1:{port}"])
        with Destinations(listed, [], [], [], names).connect("flips.example", port) as made:
            assert made.getpeername() == server.getsockname()
        assert names.asked == [("flips.example", port)]
        assert other.getsockname()[1] != port


def test_only_the_public_addresses_of_a_name_are_tried() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        listed = parsed([f"mixed.example:{port}", f"127.0.0.1:{port}"])
        made = Destinations(listed, [], [], [], Names(["10.0.0.1", "127.0.0.1"])).connect(
            "mixed.example", port
        )
        assert made.getpeername()[0] == "127.0.0.1"
        made.close()


def test_the_model_s_address_may_be_private_at_its_own_port_only() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        destinations = Destinations([], [("llm.corp", port)], [], [], Names(["127.0.0.1"]))
        destinations.connect("llm.corp", port).close()
        assert destinations.is_model("llm.corp", port)
        for host, at in (("llm.corp", port - 1), ("127.0.0.1", port), ("other.corp", port)):
            with pytest.raises(Denied, match="not among the hosts"):
                destinations.connect(host, at)


def test_our_own_port_is_refused_however_it_is_listed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        listed = parsed([f"127.0.0.1:{port}", f"me.example:{port}"])
        destinations = Destinations(listed, [], [("localhost", port)], [port], Names(["127.0.0.1"]))
        for name in ("127.0.0.1", "me.example", "localhost"):
            with pytest.raises(Denied, match="openRuntime's own"):
                destinations.connect(name, port)


def test_a_name_nobody_knows_and_a_port_nobody_listens_on_are_unreachable() -> None:
    def unknown(*_: object, **__: object) -> list[Any]:
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(Unreachable, match="not known"):
        Destinations(parsed(["gone.example"]), [], [], [], unknown).connect("gone.example", 443)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(Unreachable, match="refused"):
        Destinations(parsed([f"127.0.0.1:{port}"]), [], [], []).connect("127.0.0.1", port)
