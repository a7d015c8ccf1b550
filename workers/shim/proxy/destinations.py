"""Whether an agent may reach a host, and the connection to the very address that was checked."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable

from shared.network import hosts
from shared.network.hosts import Listed

TYPE_CHECKING = False  # checkers read it as true; importing typing for it would cost every shim 3 ms
if TYPE_CHECKING:
    from typing import Any

    Address = ipaddress.IPv4Address | ipaddress.IPv6Address

CONNECT_SECONDS = 10.0
MAX_ADDRESSES = 6
#: What not every Python knows as special: 192.0.0.0/24 (RFC 6890; Oracle's metadata service), and Azure's service for
#: a machine's credentials.
SPECIAL = (ipaddress.ip_network("192.0.0.0/24"), ipaddress.ip_network("168.63.129.16/32"))
NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Denied(Exception):
    """The agent may not reach this; the message is a sentence for the agent and the person."""


class Unreachable(Exception):
    """The agent may, but nothing answers there."""


class Destinations:
    """`listed` are the policy's hosts; `model` is the agent's model API and `forwards` are ports of this host, each an
    exact (host, port) that may lie at any address. `ours` are ports of this host that nothing opens.
    """

    def __init__(
        self,
        listed: list[Listed],
        model: list[tuple[str, int]],
        forwards: list[tuple[str, int]],
        ours: list[int],
        resolve: Callable[..., list[Any]] = socket.getaddrinfo,
    ) -> None:
        self._listed, self._model, self._ours, self._resolve = listed, set(model), set(ours), resolve
        self._exact = {*model, *forwards}

    def is_model(self, name: str, port: int) -> bool:
        """Whether this is the agent talking to its model, and nothing that a tool does."""
        return (name, port) in self._model

    def connect(self, name: str, port: int) -> socket.socket:
        """A connection to a normal name. Raises Denied or Unreachable."""
        if (name, port) not in self._exact and not hosts.allows(self._listed, name, port):
            raise Denied(f"{hosts.written((name, port))} is not among the hosts this task may reach.")
        reason = "it has no address"
        for address in self._addresses(name, port):
            try:
                return self._connected(address, port)
            except OSError as error:
                reason = error.strerror or str(error)
        raise Unreachable(f"{hosts.written((name, port))} cannot be reached: {reason}.")

    def _addresses(self, name: str, port: int) -> list[Address]:
        """What the name stands for now, without what it may not stand for. Raises Denied when nothing is left."""
        try:
            answers = self._resolve(name, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise Unreachable(
                f"{name} is not known here: {getattr(error, 'strerror', None) or error}."
            ) from None
        found = list(
            dict.fromkeys(ipaddress.ip_address(answer[4][0].partition("%")[0]) for answer in answers)
        )
        usable = [address for address in found if self._may_be(name, address, port)]
        if found and not usable:
            raise Denied(
                f"{name} leads to {found[0]}, an address of a private network; list that address as well to allow it."
            )
        return usable[:MAX_ADDRESSES]

    def _may_be(self, name: str, address: Address, port: int) -> bool:
        return (
            (name, port) in self._exact
            or is_public(address)
            or hosts.allows(self._listed, str(address), port)
        )

    def _connected(self, address: Address, port: int) -> socket.socket:
        made = socket.create_connection((str(address), port), CONNECT_SECONDS)
        peer, own = made.getpeername()[0], made.getsockname()[0]
        if port in self._ours and (peer == own or address.is_loopback):
            made.close()
            raise Denied(f"Port {port} of this machine is openRuntime's own.")
        return made


def is_public(address: Address) -> bool:
    """Whether it is of the open internet, also where an address of version 4 is wrapped in one of version 6."""
    if isinstance(address, ipaddress.IPv6Address) and (inner := _wrapped(address)):
        return is_public(inner)
    local = address.is_multicast or address.is_reserved or getattr(address, "is_site_local", False)
    return address.is_global and not local and not any(address in network for network in SPECIAL)


def _wrapped(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
