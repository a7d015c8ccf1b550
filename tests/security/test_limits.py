"""S26: what one caller may ask for in a minute, and that slow senders hold up nobody."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import backlog
from shared.access import tokens
from shared.config import Config
from shared.store.models import Attempt, Task
from tests.installation import Installation
from tests.integration.web.conftest import Ws, bearer, open_ws
from tests.security.wire import answer, connect, request
from tests.unit.web.conftest import Api
from web.app import THREADS, create_app
from web.arrivals import ARRIVAL_BYTES, is_whole

TASK = {"title": "t", "prompt": "p", "runner": "shell", "command": "true"}


@pytest.fixture
def strict(config: Config, tmp_path: Path, api: Api) -> Iterator[Api]:
    """A server that allows little."""
    few = dataclasses.replace(config, writes_per_minute=3, max_queued=2)
    yield Api(create_app(few, home=tmp_path).test_client(use_cookies=False), api.token)
    backlog.bound(config.max_queued)


def test_writes_are_counted_by_credential_and_reads_are_not(strict: Api, config: Config) -> None:
    program = Api(strict.client, tokens.mint("ci", None)[1])
    assert [strict.post("/tasks", TASK).status_code for _ in range(4)] == [200, 200, 200, 429]
    late = strict.post("/tasks", TASK)
    assert 0 < int(late.headers["Retry-After"]) <= 60
    assert Task.select().count() == 3
    assert strict.get("/tasks").status_code == 200
    assert program.post("/tasks", TASK).status_code == 200


def test_a_full_queue_takes_no_more_starts(strict: Api, api: Api) -> None:
    ids = [api.new()["id"] for _ in range(3)]
    assert [api.post(f"/tasks/{id}/start").status_code for id in ids[:2]] == [202, 202]
    refused = api.post(f"/tasks/{ids[2]}/start")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, str(backlog.RETRY_SECONDS))
    assert Attempt.select().count() == 2
    api.post(f"/tasks/{ids[0]}/stop")
    assert api.post(f"/tasks/{ids[2]}/start").status_code == 202


@pytest.mark.parametrize(
    ("seen", "whole"),
    [
        (b"", False),
        (b"GET / HTTP/1.1\r\nHost: x\r\n", False),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", True),
        (b"POST / HTTP/1.1\r\ncontent-LENGTH: 3\r\n\r\nab", False),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", True),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n", True),
        (b"POST / HTTP/1.1\r\nContent-Length: 70000\r\n\r\n", True),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", True),
        (b"x" * ARRIVAL_BYTES, True),
    ],
)
def test_a_request_is_whole_with_its_head_and_a_short_body(seen: bytes, whole: bool) -> None:
    assert is_whole(seen) is whole


def test_slow_senders_hold_up_nobody(site: Installation) -> None:
    """More connections than there are threads, each with a request that never ends."""
    slow: list[socket.socket] = []
    unfinished = [
        b"",
        b"G",
        request("GET", "/health", f"Host: {site.address}")[:-2],
        request("POST", "/login", f"Host: {site.address}", "Content-Length: 100") + b"{",
    ]
    with contextlib.ExitStack() as stack:
        for number in range(THREADS * 2):
            slow.append(stack.enter_context(connect(site)))
            slow[-1].sendall(unfinished[number % len(unfinished)])
        times = []
        for _ in range(20):
            began = time.monotonic()
            assert site.get("/health").status == 200
            times.append(time.monotonic() - began)
            for one in slow[2::4]:
                one.sendall(b"X-A: b\r\n")
        assert sorted(times)[-2] < 1
        slow[2].sendall(b"\r\n")  # one that ends after all is answered
        assert answer(slow[2])[0] == 200


def test_a_request_in_many_pieces_arrives(site: Installation) -> None:
    data = request(
        "POST", "/login", f"Host: {site.address}", "Content-Type: application/json", body=b'{"token":"x"}'
    )
    with connect(site) as connection:
        for place in range(0, len(data), 7):
            connection.sendall(data[place : place + 7])
        assert answer(connection)[0] == 401


def test_two_requests_in_one_breath_are_both_answered(site: Installation) -> None:
    one = f"GET /health HTTP/1.1\r\nHost: {site.address}\r\n\r\n".encode()
    with connect(site) as connection:
        connection.sendall(one + one[:20])
        assert answer(connection)[0] == 200
        connection.sendall(one[20:])
        assert answer(connection)[0] == 200


def test_a_program_has_a_share_of_the_streams(site: Installation) -> None:
    row, secret = tokens.mint("ci", None)
    with contextlib.ExitStack() as stack:
        mine = {"Authorization": f"Bearer {secret}"}
        opened = [stack.enter_context(Ws(site.address, mine)) for _ in range(24)]
        assert {ws.status for ws in opened} == {101}
        refused = stack.enter_context(Ws(site.address, mine))
        assert refused.status == 429
        assert "Retry-After" in refused.head
        assert stack.enter_context(Ws(site.address, bearer(site))).status == 101
        # and all of them end with the token
        began = time.monotonic()
        tokens.revoke(row.id)
        assert {ws.end() for ws in opened} == {1008}
        assert time.monotonic() - began < 5
    with open_ws(site) as ws:
        ws.send({"ping": 1})
        assert ws.until("pong")
