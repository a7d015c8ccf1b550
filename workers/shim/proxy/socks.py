"""SOCKS 5 (RFC 1928): connections only, without a password, names looked up on the host."""

from __future__ import annotations

import ipaddress
import time

from shared.network import hosts
from workers.shim.proxy.requests import Malformed
from workers.shim.proxy.stream import HEAD_SECONDS, Incoming

VERSION, CONNECT, NO_PASSWORD, NO_METHOD = 5, 1, 0, 0xFF
IPV4, NAME, IPV6 = 1, 3, 4
OPEN, REFUSED, UNREACHABLE = 0, 2, 4


def is_meant(incoming: Incoming) -> bool:
    """Whether a program begins to speak it."""
    return incoming.peek(time.monotonic() + HEAD_SECONDS) == bytes([VERSION])


def read(incoming: Incoming) -> tuple[str, int]:
    """The host and port a program wants. Raises Malformed, which is answered by HTTP's words as it may be HTTP."""
    until = time.monotonic() + HEAD_SECONDS
    methods = incoming.exactly(incoming.exactly(2, until)[1], until)
    if NO_PASSWORD not in methods:
        incoming.endpoint.sendall(bytes([VERSION, NO_METHOD]))
        raise Malformed("it wants a password")
    incoming.endpoint.sendall(bytes([VERSION, NO_PASSWORD]))
    version, command, _, kind = incoming.exactly(4, until)
    host = _host(incoming, kind, until)
    port = int.from_bytes(incoming.exactly(2, until))
    if version != VERSION or command != CONNECT or host is None or not port:
        raise Malformed("it is no SOCKS connection to a host and a port")
    return host, port


def answer(code: int) -> bytes:
    """How it went; the address we came from is nobody's business."""
    return bytes([VERSION, code, 0, IPV4]) + bytes(6)


def _host(incoming: Incoming, kind: int, until: float) -> str | None:
    if kind == IPV4:
        return str(ipaddress.IPv4Address(incoming.exactly(4, until)))
    if kind == IPV6:
        return str(ipaddress.IPv6Address(incoming.exactly(16, until)))
    if kind != NAME:
        return None
    return hosts.normal(incoming.exactly(incoming.exactly(1, until)[0], until).decode("latin-1"))
