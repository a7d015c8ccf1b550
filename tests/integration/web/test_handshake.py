"""Who may open a live stream, by raw sockets."""

from __future__ import annotations

import time

import pytest

from shared.access import accounts
from tests.installation import Installation
from tests.integration.web.conftest import Ws, bearer, open_ws


def handshake(site: Installation, **headers: str) -> int:
    with Ws(site.address, {name.replace("_", "-"): value for name, value in headers.items()}) as ws:
        assert ws.status == 101 or "Upgrade: websocket" not in ws.head
        return ws.status


def test_hosts_origins_and_credentials_are_checked_before_the_upgrade(site: Installation) -> None:
    token, port = f"Bearer {site.token}", site.address.rpartition(":")[2]
    cookie, _ = accounts.sign_in()
    own = f"http://{site.address}"
    jar = f"openruntime_{port}={cookie}"
    cases = [
        ({"Authorization": token}, 101),
        ({"Authorization": token, "Origin": own}, 101),
        ({"Cookie": jar, "Origin": own}, 101),
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "Bearer wrong", "Cookie": jar, "Origin": own}, 401),
        ({"Cookie": f"openruntime_{port}=wrong", "Origin": own}, 401),
        ({"Cookie": f"openruntime_1={cookie}", "Origin": own}, 401),
        ({"Cookie": jar}, 403),
        ({"Cookie": jar, "Origin": f"http://localhost:{port}"}, 403),
        ({"Cookie": jar, "Origin": own, "Sec_Fetch_Site": "cross-site"}, 403),
    ]
    for origin in (
        "null",
        "https://evil.example",
        "http://127.0.0.1:1",
        own.upper(),
        f"{own}.evil.example",
        f"{own}/",
    ):
        cases += [({"Cookie": jar, "Origin": origin}, 403), ({"Authorization": token, "Origin": origin}, 403)]
    for host, status in (
        ("evil.example", 421),
        (f"127.0.0.1.evil.example:{port}", 421),
        (f"0.0.0.0:{port}", 421),
        (f"127.1:{port}", 421),
        ("127.0.0.1", 421),
        (f"user@{site.address}", 400),
    ):
        cases.append(({"Host": host, "Authorization": token}, status))
    wrong = [(case, got) for case, status in cases if (got := handshake(site, **case)) != status]
    assert wrong == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-WebSocket-Key": ""},
        {"Sec-WebSocket-Key": "short"},
        {"Sec-WebSocket-Version": "8"},
        {"Connection": "keep-alive"},
        {"Upgrade": ""},
    ],
)
def test_what_is_no_handshake_is_a_bad_request(site: Installation, headers: dict[str, str]) -> None:
    with Ws(site.address, bearer(site, **headers)) as ws:
        assert ws.status == 400


def test_two_host_headers_are_malformed(site: Installation) -> None:
    with Ws(site.address, {**bearer(site), "host": "evil.example"}) as ws:
        assert ws.status == 400


def test_a_login_that_ends_closes_its_socket_with_1008(site: Installation) -> None:
    port = site.address.rpartition(":")[2]
    cookie, _ = accounts.sign_in()
    headers = {"Cookie": f"openruntime_{port}={cookie}", "Origin": f"http://{site.address}"}
    with Ws(site.address, headers) as mine, open_ws(site) as other:
        mine.send({"ping": 1})
        mine.until("pong")
        began = time.monotonic()
        accounts.sign_out(cookie)
        assert mine.end() == 1008
        assert time.monotonic() - began < 5
        other.send({"ping": 2})
        assert other.until("pong")["pong"] == 2
