"""The web process: how it starts, what it refuses, what it makes of broken requests, how it ends."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from shared.store.models import Task
from tests.installation import Installation
from tests.integration.web.conftest import open_ws, served
from tests.waiting import wait_until


@pytest.fixture
def own(short_dir: Path) -> Iterator[Installation]:
    """A web process that the test may end."""
    with served(short_dir) as found:
        yield found


def raw(site: Installation, data: bytes) -> tuple[int, bytes]:
    host, _, port = site.address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return int(answer.split(b" ", 2)[1]), answer


def test_a_real_port_is_published_and_the_data_directory_is_private(site: Installation) -> None:
    assert not site.address.endswith(":0")
    assert stat.S_IMODE(site.data.stat().st_mode) == 0o700
    assert stat.S_IMODE((site.data / "token").stat().st_mode) == 0o600


def test_requests_no_server_could_read_are_400(site: Installation) -> None:
    host = site.address.encode()
    for data in (
        b"nonsense\r\n\r\n",
        b"GET /health HTTP/1.1\r\n\r\n",
        b"GET /health HTTP/1.0\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: " + host + b"\r\nHost: evil.example\r\n\r\n",
        b"GET http://evil.example/health HTTP/1.1\r\nHost: " + host + b"\r\n\r\n",
        b"POST /tasks HTTP/1.1\r\nHost: " + host + b"\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"POST /tasks HTTP/1.1\r\nHost: " + host + b"\r\nContent-Length: x\r\n\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: " + host + b"\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: " + host + b"\r\n" + b"A: " + b"b" * 20_000 + b"\r\n\r\n",
    ):
        status, answer = raw(site, data)
        assert status == 400, (data[:60], answer)
        assert b"application/problem+json" in answer


def test_bodies_of_every_size_and_form_are_bounded(site: Installation) -> None:
    head = (
        f"POST /tasks HTTP/1.1\r\nHost: {site.address}\r\nAuthorization: Bearer {site.token}\r\n"
        "Content-Type: application/json\r\n"
    ).encode()
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    assert raw(site, head + b"Content-Length: 99999999\r\n\r\n")[0] == 413
    assert raw(site, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 40 + b"0\r\n\r\n")[0] == 413
    assert raw(site, head + b"Content-Length: 500\r\n\r\n{}")[0] == 400
    assert raw(site, head + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")[0] == 422
    assert Task.select().count() == 0


def test_a_sign_in_link_names_the_real_address(site: Installation) -> None:
    url = site.post("/login/links").body["url"]
    assert url.startswith(f"http://{site.address}/login#token=")
    token = url.partition("#token=")[2]
    signed_in = site.request("POST", "/login", {"token": token}, {"Authorization": ""})
    port = site.address.rpartition(":")[2]
    cookie = signed_in.headers["Set-Cookie"].partition(";")[0]
    assert cookie.startswith(f"openruntime_{port}=")
    page = site.request("GET", "/", headers={"Authorization": "", "Cookie": cookie})
    assert page.status == 200


def test_a_second_instance_is_refused(site: Installation) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "openruntime", "web"],
        env=site.environment, cwd=site.home, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.returncode == 1
    assert site.address in done.stderr
    assert site.get("/health").status == 200


def test_a_taken_port_and_an_open_host_are_refused_in_one_sentence(
    site: Installation, tmp_path: Path
) -> None:
    port = site.address.rpartition(":")[2]
    for settings, said in (({"PORT": port}, port), ({"OPENRUNTIME_HOST": "0.0.0.0"}, "--behind-proxy")):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "openruntime", "web"],
            env={**site.environment, "OPENRUNTIME_DATA": str(tmp_path / "other"), **settings},
            cwd=tmp_path, capture_output=True, text=True, timeout=30,
        )  # fmt: skip
        assert done.returncode != 0
        assert said in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ending_the_server_closes_sockets_with_1012_within_a_second(own: Installation, number: int) -> None:
    assert own.web is not None
    kept = http.client.HTTPConnection(own.address)
    kept.request("GET", "/health")
    assert kept.getresponse().read()
    with open_ws(own) as one, open_ws(own) as two:
        one.send({"sub": [{"topic": "board"}], "ping": 1})
        one.until("pong")
        began = time.monotonic()
        os.killpg(own.web.pid, number)  # as a terminal or a supervisor does: all processes of the group
        assert (one.end(), two.end()) == (1012, 1012)
        own.web.wait(5)
        assert time.monotonic() - began < 1.5
    kept.close()
    assert own.web.returncode == 0
    assert not (own.data / "instance.json").exists()


def test_a_waiting_request_is_answered_before_the_server_ends(own: Installation) -> None:
    assert own.web is not None
    task = own.create("true", own.home)["id"]
    found: list[int] = []
    poll = threading.Thread(
        target=lambda: found.append(own.get(f"/tasks/{task}/events?after=1&wait=20").status)
    )
    poll.start()
    web = psutil.Process(own.web.pid).children()[0]
    wait_until(lambda: len(web.net_connections()) >= 2)
    own.web.terminate()
    own.web.wait(5)
    poll.join()
    assert found == [200]


def test_after_a_kill_the_same_port_serves_again_within_three_seconds(own: Installation) -> None:
    assert own.web is not None
    own.settings["PORT"] = own.address.rpartition(":")[2]
    with open_ws(own) as ws:
        ws.send({"ping": 1})
        ws.until("pong")
        own.kill(own.web)
        began = time.monotonic()
        own.start_web()
        assert time.monotonic() - began < 6  # the bar is three on an idle machine
    assert own.get("/tasks").status == 200


def test_the_process_survives_its_worker(own: Installation) -> None:
    assert own.web is not None
    child = psutil.Process(own.web.pid).children()[0]
    child.kill()
    wait_until(lambda: own.get("/health").status == 200, 10, ignoring=(OSError, http.client.HTTPException))
    with open_ws(own) as ws:
        ws.send({"ping": 1})
        assert ws.until("pong")
