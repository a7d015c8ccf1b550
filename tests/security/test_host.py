"""S1: DNS rebinding. Thirty forms of Host, against pages, API, writes and streams, as bytes on a socket."""

from __future__ import annotations

import socket

from shared.store.models import Task
from tests.installation import Installation
from tests.security.wire import answer, ask, connect, request
from web.security import HEADERS

#: `{p}` is our port. Malformed ones are 400, well-formed ones of others 421 (contract 4).
UNLISTED = [
    "evil.example", "evil.example:{p}", "127.0.0.1.evil.example:{p}", "localhost.evil.example:{p}", "localhost.:{p}",
    "0.0.0.0:{p}", "127.1:{p}", "127.0.0.2:{p}", "0x7f000001:{p}", "2130706433:{p}", "[::]:{p}", "[::ffff:127.0.0.1]:{p}",
    "127.0.0.1:1", "127.0.0.1", "localhost", "xn--lcalhost-e1a:{p}",
]  # fmt: skip
MALFORMED = [
    "", " ", "user@127.0.0.1:{p}", "127.0.0.1:{p},evil.example", "127.0.0.1:{p} evil.example", "127.0.0.1:{p}/x",
    "127.0.0.1:http", "::1:{p}", "http://127.0.0.1:{p}", "127.0.0.1:{p}#x", "127.0.0.1:{p}?x", "127.0.0.1\\:{p}",
    "lo\xadcalhost:{p}", "127.0.0.1:-1",
]  # fmt: skip
STREAM = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==",
)
TASK = b'{"title":"t","prompt":"p","runner":"shell","command":"true"}'


def requests(host_lines: list[str], token: str) -> dict[str, bytes]:
    owner = f"Authorization: Bearer {token}"
    json = "Content-Type: application/json"
    return {
        "page": request("GET", "/", *host_lines, owner),
        "api": request("GET", "/tasks", *host_lines, owner),
        "write": request("POST", "/tasks", *host_lines, owner, json, body=TASK),
        "stream": "\r\n".join(["GET /ws HTTP/1.1", *host_lines, owner, *STREAM, "", ""]).encode("latin-1"),
    }


def wrong(site: Installation, host_lines: list[str], expected: int) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = []
    for kind, data in requests(host_lines, site.token).items():
        status, whole = ask(site, data)
        if status != expected or b"Access-Control" in whole or b"websocket\r\n" in whole:
            found.append((host_lines, kind, status))
    return found


def test_no_other_name_is_answered(site: Installation) -> None:
    port = site.address.rpartition(":")[2]
    found: list[tuple[object, ...]] = []
    for hosts, expected in ((UNLISTED, 421), (MALFORMED, 400)):
        for host in hosts:
            found += wrong(site, [f"Host: {host.replace('{p}', port)}"], expected)
    found += wrong(site, [f"Host: {site.address}", "Host: evil.example"], 400)
    found += wrong(site, [f"Host: {site.address}", f"Host: {site.address}"], 400)
    found += wrong(site, ["Host: evil.example", f"X-Forwarded-Host: {site.address}"], 421)
    found += wrong(site, ["Host: evil.example", f"Forwarded: host={site.address}"], 421)
    found += wrong(site, [], 400)
    assert found == []
    assert Task.select().count() == 0


def test_the_targets_own_authority_must_be_ours_too(site: Installation) -> None:
    owner = f"Authorization: Bearer {site.token}"
    for target, expected in ((f"http://{site.address}/health", 200), ("http://evil.example/health", 400)):
        status, _ = ask(site, request("GET", target, f"Host: {site.address}", owner))
        assert status == expected


def test_what_cannot_be_read_is_answered_inside_the_same_fences(site: Installation) -> None:
    for data in (
        b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        b"BROKEN\r\n\r\n",
        request("GET", "/" + "a" * 5000, "Host: x"),
    ):
        status, whole = ask(site, data)
        head = whole.partition(b"\r\n\r\n")[0]
        assert status == 400
        for name in (*HEADERS, "Cache-Control: no-store"):
            assert name.encode() in head, (data[:30], name)


def test_without_a_host_an_old_client_gets_nothing(site: Installation) -> None:
    assert ask(site, b"GET /tasks HTTP/1.0\r\n\r\n")[0] == 400
    with connect(site) as connection:
        connection.sendall(b"GET /tasks\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        assert answer(connection)[0] in (0, 400)
