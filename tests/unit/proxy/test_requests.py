"""What the proxy takes for a request, and what it passes on of it."""

from __future__ import annotations

import random

import pytest

from workers.shim.proxy.requests import Malformed, Request, read


def head(first: str, *fields: str) -> bytes:
    return "\r\n".join([first, *fields, "", ""]).encode("latin-1")


@pytest.mark.parametrize(
    ("target", "host", "port"),
    [
        ("example.com:443", "example.com", 443),
        ("EXAMPLE.com.:443", "example.com", 443),
        ("[2001:db8::1]:443", "2001:db8::1", 443),
        ("10.0.0.1:22", "10.0.0.1", 22),
        ("xn--bcher-kva.example:443", "xn--bcher-kva.example", 443),
    ],
)
def test_a_tunnel_leads_where_its_target_says_and_nowhere_its_host_field_does(
    target: str, host: str, port: int
) -> None:
    found = read(head(f"CONNECT {target} HTTP/1.1", "Host: evil.com:443"))
    assert (found.host, found.port, found.tunnel) == (host, port, True)


def test_a_plain_request_is_passed_on_in_origin_form_for_the_host_that_was_checked() -> None:
    found = read(
        head(
            "GET http://Example.com:8080/a?b=c HTTP/1.1", "Host: evil.com", "Accept: */*", "Proxy-Authorization: Basic x",
            "Connection: keep-alive, X-Hop", "X-Hop: 1", "Keep-Alive: 5", "Upgrade: websocket", "X-Kept:  two words ",
        )
    )  # fmt: skip
    assert (found.host, found.port, found.length) == ("example.com", 8080, 0)
    assert found.head == (
        b"GET /a?b=c HTTP/1.1\r\nHost: Example.com:8080\r\nConnection: close\r\nAccept: */*\r\nX-Kept: two words\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("target", "sent"),
    [("http://a.example", "/"), ("http://a.example?q", "/?q"), ("HTTP://a.example//evil.com", "//evil.com")],
)
def test_a_target_without_a_path_gets_one(target: str, sent: str) -> None:
    assert read(head(f"GET {target} HTTP/1.1")).head.startswith(f"GET {sent} HTTP/1.1\r\n".encode())


def test_a_body_ends_in_one_way() -> None:
    def length(*fields: str) -> int | None:
        return read(head("POST http://a.example/ HTTP/1.1", *fields)).length

    assert length("Content-Length: 12") == 12
    assert length("Transfer-Encoding: Chunked") is None
    assert length("Connection: content-length", "Content-Length: 7") == 7
    assert (
        b"Content-Length: 7"
        in read(
            head("POST http://a.example/ HTTP/1.1", "Connection: content-length", "Content-Length: 7")
        ).head
    )


REFUSED = [
    head("GET / HTTP/1.1", "Host: a.example"),  # not to a proxy
    head("GET https://a.example/ HTTP/1.1"),
    head("GET ftp://a.example/ HTTP/1.1"),
    head("GET http://user@a.example/ HTTP/1.1"),
    head("GET http://a.example@evil.com/ HTTP/1.1"),
    head("GET http://evil.com\\@a.example/ HTTP/1.1"),
    head("GET http://a.example:99999/ HTTP/1.1"),
    head("GET http://a.example:0/ HTTP/1.1"),
    head("GET http://a.example:/ HTTP/1.1"),
    head("GET http:///path HTTP/1.1"),
    head("GET http://127.1/ HTTP/1.1"),
    head("GET http://0x7f000001/ HTTP/1.1"),
    head("GET http://2130706433/ HTTP/1.1"),
    head("GET http://b\xfccher.example/ HTTP/1.1"),
    head("GET http://a.example/#fragment HTTP/1.1"),
    head("GET http://a.example/ HTTP/2"),
    head("GET http://a.example/"),
    head("GET  http://a.example/ HTTP/1.1"),
    head("GET http://a.example/ HTTP/1.1 "),
    head("get http://a.example/ HTTP/1.1"),
    head(""),
    head("CONNECT a.example HTTP/1.1"),
    head("CONNECT a.example:443/ HTTP/1.1"),
    head("CONNECT http://a.example:443 HTTP/1.1"),
    head("CONNECT user@a.example:443 HTTP/1.1"),
    head("CONNECT a.example:443:22 HTTP/1.1"),
    head("CONNECT [fe80::1%25lo]:443 HTTP/1.1"),
    head("CONNECT [a.example]:443 HTTP/1.1"),
    head("CONNECT :443 HTTP/1.1"),
    head("CONNECT a.example:+443 HTTP/1.1"),
    head("GET http://a.example/ HTTP/1.1", " folded: line"),
    head("GET http://a.example/ HTTP/1.1", "A: b", "\tfolded"),
    head("GET http://a.example/ HTTP/1.1", "Name : value"),
    head("GET http://a.example/ HTTP/1.1", "no colon"),
    head("GET http://a.example/ HTTP/1.1", "A: b\rEvil: c"),
    head("GET http://a.example/ HTTP/1.1", "A: b\nEvil: c"),
    head("GET http://a.example/ HTTP/1.1\nEvil: c"),
    head("GET http://a.example/ HTTP/1.1", "A: b\0"),
    head("POST http://a.example/ HTTP/1.1", "Content-Length: 1", "Content-Length: 1"),
    head("POST http://a.example/ HTTP/1.1", "Content-Length: 1, 1"),
    head("POST http://a.example/ HTTP/1.1", "Content-Length: +1"),
    head("POST http://a.example/ HTTP/1.1", "Content-Length: 0x1"),
    head("POST http://a.example/ HTTP/1.1", "Content-Length: -1"),
    head("POST http://a.example/ HTTP/1.1", "Content-Length: 1", "Transfer-Encoding: chunked"),
    head("POST http://a.example/ HTTP/1.1", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
    head("POST http://a.example/ HTTP/1.1", "Transfer-Encoding: gzip, chunked"),
    head("POST http://a.example/ HTTP/1.1", "Transfer-Encoding: xchunked"),
    head("POST http://a.example/ HTTP/1.0", "Transfer-Encoding: chunked"),
]


@pytest.mark.parametrize("given", REFUSED, ids=range(len(REFUSED)))
def test_what_could_be_read_in_two_ways_is_refused(given: bytes) -> None:
    with pytest.raises(Malformed):
        read(given)


@pytest.mark.slow
def test_no_bytes_break_the_reader_or_smuggle_a_line_through_it() -> None:
    """Mutations of real requests: each is refused, or passed on as one request for the host that was read."""
    chance = random.Random(20)
    seeds = [
        *REFUSED,
        head("CONNECT example.com:443 HTTP/1.1", "Host: example.com:443"),
        head("POST http://example.com/a HTTP/1.1", "Host: example.com", "Content-Length: 5", "A: b"),
        head("POST http://[::1]:80/ HTTP/1.1", "Transfer-Encoding: chunked", "Connection: a"),
    ]
    pieces = [
        b"\r\n",
        b"\r",
        b"\n",
        b" ",
        b":",
        b"@",
        b"/",
        b"\0",
        b"\xff",
        b"%",
        b"#",
        b"Content-Length: 9\r\n",
        b"chunked",
    ]
    passed = 0
    for _ in range(200_000):
        given = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(given) + 1)
            given[at : at + chance.randint(0, 3)] = chance.choice([*pieces, bytes([chance.randrange(256)])])
        try:
            found = read(bytes(given))
        except Malformed:
            continue
        passed += 1
        _is_one_request(found)
    assert passed > 1000


def _is_one_request(found: Request) -> None:
    assert 0 < found.port < 65536
    assert not set(found.host) & set("@/\\ \t\r\n%#?")
    if found.tunnel:
        return
    lines = found.head.split(b"\r\n")
    assert lines[-2:] == [b"", b""]
    assert b"" not in lines[:-2]
    assert not any(mark in line for line in lines for mark in (b"\r", b"\n", b"\0"))
    names = [line.partition(b":")[0].lower() for line in lines[1:-2]]
    assert names[:2] == [b"host", b"connection"]
    assert b"host" not in names[2:]
    assert len([name for name in names if name in (b"content-length", b"transfer-encoding")]) <= 1
