"""Run inside a sandbox: tries every way out of its network that we know, and prints what it got as lines of JSON."""

from __future__ import annotations

import json
import socket
import struct
import sys

GIVEN = json.loads(sys.argv[1])
SECONDS = 3.0


def say(what: str, got: object) -> None:
    print(json.dumps([what, got if isinstance(got, str | int) else repr(got)]), flush=True)


def direct(what: str, family: int, kind: int, address: object) -> None:
    """Straight to an address, without the proxy."""
    try:
        with socket.socket(family, kind) as made:
            made.settimeout(SECONDS)
            made.connect(address)
            made.send(b"GET /direct HTTP/1.0\r\n\r\n")
            say(what, made.recv(100).decode("latin-1") or "closed")
    except OSError as error:
        say(what, f"refused: {error.strerror or error}")


def exchange(what: str, *pieces: bytes, port: int | None = None) -> None:
    """Bytes to the proxy, each piece after an answer to the one before; everything that came back."""
    got = b""
    try:
        with socket.create_connection(("127.0.0.1", port or GIVEN["proxy"]), SECONDS) as made:
            made.settimeout(SECONDS)
            for piece in pieces:
                made.sendall(piece)
                got += made.recv(65536)
            while data := made.recv(65536):
                got += data
    except OSError as error:
        got += f" ({error})".encode()
    say(what, got.decode("latin-1"))


def connect(target: str, then: bytes = b"GET /tunnel HTTP/1.0\r\n\r\n") -> None:
    exchange(f"CONNECT {target}", f"CONNECT {target} HTTP/1.1\r\n\r\n".encode("latin-1"), then)


def plain(what: str, request: str) -> None:
    exchange(what, request.replace("\n", "\r\n").encode("latin-1"))


def socks(what: str, kind: int, host: bytes, port: int, command: int = 1) -> None:
    address = bytes([5, command, 0, kind]) + host + struct.pack(">H", port)
    exchange(what, b"\x05\x01\x00", address, b"GET /socks HTTP/1.0\r\n\r\n")


def named(host: str) -> bytes:
    return bytes([len(host)]) + host.encode()


secret, ours, allowed = GIVEN["secret"], GIVEN["ours"], GIVEN["allowed"]
for name, host in (
    ("loopback", "127.0.0.1"),
    ("own address", GIVEN["address"]),
    ("allowed host", "127.0.0.2"),
):
    direct(f"direct: {name}", socket.AF_INET, socket.SOCK_STREAM, (host, secret))
direct("direct: allowed service", socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.2", allowed))
direct("direct: loopback, version 6", socket.AF_INET6, socket.SOCK_STREAM, ("::1", secret))
direct("direct: the internet", socket.AF_INET, socket.SOCK_STREAM, ("1.1.1.1", 443))
direct("direct: metadata", socket.AF_INET, socket.SOCK_STREAM, ("169.254.169.254", 80))
direct("direct: DNS", socket.AF_INET, socket.SOCK_DGRAM, ("1.1.1.1", 53))
direct("direct: abstract unix socket", socket.AF_UNIX, socket.SOCK_STREAM, "\0" + GIVEN["abstract"])
direct("direct: our own port", socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", ours))
direct("direct: vsock", getattr(socket, "AF_VSOCK", 40), socket.SOCK_STREAM, (2, 1024))
direct("direct: packets", socket.AF_PACKET, socket.SOCK_RAW, ("lo", 0))
try:
    say("direct: lookup", str(socket.getaddrinfo("example.com", 80)))
except OSError as error:
    say("direct: lookup", f"refused: {error}")

for host in (
    "127.0.0.1", "localhost", "LOCALHOST", "localhost.", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "127.1", "0x7f000001",
    "2130706433", "0177.0.0.1", "[0:0:0:0:0:0:0:1]", GIVEN["address"], "127.0.0.2", "sub.localhost", "a@127.0.0.1",
):  # fmt: skip
    connect(f"{host}:{secret}")
    plain(f"GET http://{host}", f"GET http://{host}:{secret}/plain HTTP/1.1\nHost: 127.0.0.2:{allowed}\n\n")
for target in (
    f"localhost:{ours}",
    f"127.0.0.1:{ours}",
    "169.254.169.254:80",
    "metadata.google.internal:80",
    "127.0.0.2:22",
):
    connect(target)
connect("evil.example:443\r\nHost: 127.0.0.2")
plain("GET as a server", f"GET / HTTP/1.1\nHost: 127.0.0.1:{secret}\n\n")
plain("ftp", f"GET ftp://127.0.0.1:{secret}/ HTTP/1.1\n\n")
for name, kind, host, command in (
    ("SOCKS: loopback", 1, socket.inet_aton("127.0.0.1"), 1), ("SOCKS: name", 3, named("localhost"), 1),
    ("SOCKS: version 6", 4, socket.inet_pton(socket.AF_INET6, "::1"), 1), ("SOCKS: NUL", 3, named("127.0.0.2\0.x"), 1),
    ("SOCKS: bind", 1, socket.inet_aton("127.0.0.2"), 2), ("SOCKS: datagrams", 1, socket.inet_aton("127.0.0.2"), 3),
):  # fmt: skip
    socks(name, kind, host, secret, command)
exchange("SOCKS: a password", b"\x05\x01\x02")
exchange("SOCKS 4", b"\x04\x01" + struct.pack(">H", secret) + socket.inet_aton("127.0.0.1") + b"me\0")

to = f"http://127.0.0.2:{allowed}"
plain("allowed: spoofed Host", f"GET {to}/spoof HTTP/1.1\nHost: 127.0.0.1:{secret}\n\n")
plain("allowed: two requests", f"GET {to}/first HTTP/1.1\n\nGET {to}/smuggled HTTP/1.1\n\n")
plain(
    "allowed: behind a body",
    f"POST {to}/body HTTP/1.1\nContent-Length: 4\n\nbodyGET /smuggled HTTP/1.1\nHost: x\n\n",
)
plain(
    "allowed: chunks",
    f"POST {to}/chunks HTTP/1.1\nTransfer-Encoding: chunked\n\n4\nbody\n0\n\nGET /smuggled HTTP/1.1\n\n",
)
plain(
    "two lengths",
    f"POST {to}/x HTTP/1.1\nContent-Length: 4\nTransfer-Encoding: chunked\n\n0\n\nGET /smuggled HTTP/1.1\n\n",
)
plain(
    "allowed: bad chunk",
    f"POST {to}/broken HTTP/1.1\nTransfer-Encoding: chunked\n\n4\nbodyGET /smuggled HTTP/1.1\n\n",
)
connect(f"127.0.0.2:{allowed}")
socks("allowed: SOCKS", 1, socket.inet_aton("127.0.0.2"), allowed)
exchange("forwarded", b"GET /forwarded HTTP/1.0\r\n\r\n", port=GIVEN["forwarded"])
