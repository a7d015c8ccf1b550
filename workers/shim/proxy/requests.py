"""Reads what a program inside says to the proxy: CONNECT, or a plain HTTP request. Strict: what could be read in two
ways is refused."""

from __future__ import annotations

import re

from shared.network import hosts

MAX_HEAD_BYTES = 64 << 10
METHOD = re.compile(rb"[A-Z][A-Z0-9-]{0,31}")
VERSION = re.compile(rb"HTTP/1\.[01]")
AUTHORITY = re.compile(rb"(?P<host>\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,254})(?::(?P<port>[0-9]{1,5}))?")
ABSOLUTE = re.compile(
    rb"(?i:http)://(?P<authority>[^/?#\s\x00-\x20\x7f-\xff]*)(?P<path>[^\s\x00-\x20\x7f-\xff#]*)"
)
FIELD = re.compile(rb"(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(?P<value>[^\r\n\x00]*?)[ \t]*")
#: Fields that are between the program and the proxy, and none of the server's business (RFC 9110, 7.6.1).
OWN_FIELDS = frozenset(b"connection keep-alive te upgrade host http2-settings".split())


class Malformed(ValueError):
    """No request that could be let through; the message says what is wrong with it."""


class Request:
    """Where to, and what is to be sent there first: nothing for a tunnel.

    `length` is the number of bytes of the body, None for a chunked one.
    """

    __slots__ = ("head", "host", "length", "port", "tunnel")

    def __init__(self, host: str, port: int, *, head: bytes = b"", length: int | None = 0) -> None:
        self.host, self.port, self.head, self.length = host, port, head, length
        self.tunnel = not head


def read(head: bytes) -> Request:
    """The request whose head, up to and with its empty line, this is. Raises Malformed."""
    first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    words = first.split(b" ")
    if len(words) != 3 or not METHOD.fullmatch(words[0]) or not VERSION.fullmatch(words[2]):
        raise Malformed("the first line is no request")
    method, target, version = words
    fields = [_field(line) for line in lines]
    if method == b"CONNECT":
        return Request(*_authority(target, None))
    found = ABSOLUTE.fullmatch(target)
    if not found:
        raise Malformed("this is a proxy: it takes http:// addresses, and CONNECT for the others")
    authority, path = found["authority"], found["path"]
    host, port = _authority(authority, 80)
    kept = [(name, value) for name, value in fields if not _is_own(name, fields)]
    if not path.startswith(b"/"):
        path = b"/" + path
    sent = [b" ".join((method, path, version)), b"Host: " + authority, b"Connection: close"]
    sent += [name + b": " + value for name, value in kept]
    return Request(host, port, head=b"\r\n".join(sent) + b"\r\n\r\n", length=_length(fields, version))


def _authority(text: bytes, default: int | None) -> tuple[str, int]:
    found = AUTHORITY.fullmatch(text)
    port = int(found["port"] or default or 0) if found else 0
    name = hosts.normal(found["host"].decode().strip("[]")) if found else None
    if name is None or not 0 < port < 65536:
        raise Malformed("the address is none: a name or an address, and a port")
    return name, port


def _field(line: bytes) -> tuple[bytes, bytes]:
    found = FIELD.fullmatch(line)
    if not found:
        raise Malformed("a header field is none")
    return found["name"], found["value"]


def _is_own(name: bytes, fields: list[tuple[bytes, bytes]]) -> bool:
    name = name.lower()
    named = b",".join(value for key, value in fields if key.lower() == b"connection").lower().split(b",")
    framing = name in (b"content-length", b"transfer-encoding")
    return (
        name in OWN_FIELDS
        or name.startswith(b"proxy-")
        or (not framing and name in {word.strip() for word in named})
    )


def _length(fields: list[tuple[bytes, bytes]], version: bytes) -> int | None:
    """How the body ends; two ways to read it are one too many, since a second request could hide in it."""
    lengths = [value for name, value in fields if name.lower() == b"content-length"]
    codings = [value.lower() for name, value in fields if name.lower() == b"transfer-encoding"]
    if codings:
        if lengths or codings != [b"chunked"] or version != b"HTTP/1.1":
            raise Malformed("where the body ends is said in two ways")
        return None
    if len(lengths) > 1 or (lengths and not re.fullmatch(rb"[0-9]{1,15}", lengths[0])):
        raise Malformed("the length of the body is none")
    return int(lengths[0]) if lengths else 0
