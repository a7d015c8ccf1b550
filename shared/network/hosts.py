"""The hosts a policy lists: how one is written, and whether a name and a port are among them.

The egress proxy shares this module, and it starts beside every agent: nothing here imports what takes time.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from contextlib import suppress

#: A name or an address, and its port; None is the two ports of the web.
Listed = tuple[str, int | None]

WEB_PORTS = (80, 443)
MAX_NAME = 253
LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
#: Forms of an address that only some resolvers read so: 127.1, 0x7f000001, 017700000001.
NUMERIC = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)")
LOOPBACK_NAME = "localhost"


def parse(text: str) -> Listed:
    """`example.com`, `*.example.com`, `10.0.0.7` or `[::1]`, with `:port` or without. Raises ValueError in one sentence."""
    name, port = _split(text.strip())
    wildcard = name.startswith("*.")
    found = normal(_ascii(name.removeprefix("*.")))
    if found is None or (wildcard and (address(found) or "." not in found)):
        raise ValueError(
            f"{text!r} is no host: write example.com, *.example.com or an address, with :port where it is not 80 or 443"
        )
    if port is None and is_loopback(found):
        raise ValueError(f"{text!r} needs a port, such as localhost:5432")
    return (f"*.{found}" if wildcard else found), port


def parsed(texts: Iterable[str]) -> list[Listed]:
    """Entries as they were stored; one that is none, from before they were checked, opens nothing."""
    found = []
    for text in texts:
        with suppress(ValueError):
            found.append(parse(text))
    return found


def written(listed: Listed) -> str:
    """The entry as a person writes it."""
    name, port = listed
    shown = f"[{name}]" if ":" in name and port is not None else name
    return shown if port is None else f"{shown}:{port}"


def normal(name: str) -> str | None:
    """A host as it is compared: lower case, no final dot, addresses in their one form; None for what is no host."""
    name = name.lower()
    if found := address(name):
        return str(found)
    name = name.removesuffix(".")
    labels = name.split(".")
    if len(name) > MAX_NAME or not all(LABEL.fullmatch(label) for label in labels):
        return None
    return None if NUMERIC.fullmatch(labels[-1]) else name


def allows(listed: Iterable[Listed], name: str, port: int) -> bool:
    """Whether one of the entries covers a normal name and a port."""
    return any(_covers(entry, name, port) for entry in listed)


def is_loopback(name: str) -> bool:
    """Whether a normal name is this machine's own."""
    found = address(name)
    return name == LOOPBACK_NAME or name.endswith(f".{LOOPBACK_NAME}") or bool(found and found.is_loopback)


def address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address a name is, with nothing looked up; None for a name, and for an address of one interface only."""
    try:
        return None if "%" in name else ipaddress.ip_address(name)
    except ValueError:
        return None


def _covers(entry: Listed, name: str, port: int) -> bool:
    wanted, only = entry
    if port not in (WEB_PORTS if only is None else (only,)):
        return False
    return name.endswith(wanted[1:]) if wanted.startswith("*.") else name == wanted


def _split(text: str) -> tuple[str, int | None]:
    """Name and port; an address of version 6 stands in brackets when a port follows."""
    if text.startswith("["):
        name, closed, rest = text[1:].partition("]")
        if not closed or address(name) is None or (rest and not rest.startswith(":")):
            raise ValueError(f"{text!r} is no address: write [2001:db8::1]:443")
        return name, _port(rest[1:], text) if rest else None
    if text.count(":") > 1:
        return text, None
    name, colon, port = text.partition(":")
    return name, _port(port, text) if colon else None


def _port(digits: str, text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", digits) or not 0 < int(digits) < 65536:
        raise ValueError(f"{text!r} has no port from 1 to 65535 behind its colon")
    return int(digits)


def _ascii(name: str) -> str:
    """A name with letters of other scripts, as the network spells it."""
    if name.isascii():
        return name
    try:
        return name.encode("idna").decode()
    except UnicodeError:
        return ""
