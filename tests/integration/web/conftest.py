"""A real web process; the test writes to its store as a worker would."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import struct
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broker import messages
from shared import doorbell, tasks, timeline
from shared.config import from_env
from shared.events import Draft, Kind
from shared.store.database import close, connect, transaction
from tests.installation import Installation, installed


@pytest.fixture(scope="module")
def site() -> Iterator[Installation]:
    """Web alone, one for all tests of a file, and this process connected to its store and its bells."""
    with (
        tempfile.TemporaryDirectory(prefix="or-", ignore_cleanup_errors=True) as folder,
        served(Path(folder)) as found,
    ):
        yield found


@contextlib.contextmanager
def served(folder: Path) -> Iterator[Installation]:
    with installed(folder, workers=0, HOME=str(folder)) as found:
        connect(from_env({"OPENRUNTIME_DATA": str(found.data)}).database)
        announce(found)
        yield found
        doorbell.forget()
        close()


def announce(site: Installation) -> None:
    """Ring the server's bell for what this process commits."""
    bells = messages.bells(from_env({"OPENRUNTIME_DATA": str(site.data)}))
    doorbell.listen(lambda ring: bells.changes.notify())


def add(task_id: str, *texts: str) -> int:
    """Store output lines of a task in one transaction; returns the newest seq."""
    with transaction():
        return timeline.append(tasks.get(task_id).number, [Draft(Kind.STDOUT, text) for text in texts])


class Ws:
    """A websocket client of a few lines, so that a test sees and sends exactly the bytes it means to."""

    def __init__(self, address: str, headers: dict[str, str], receive_bytes: int | None = None) -> None:
        host, _, port = address.rpartition(":")
        self.socket = socket.socket()
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(15)
        self.socket.connect((host.strip("[]"), int(port)))
        given = {
            "Host": address,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            "Sec-WebSocket-Version": "13",
            **headers,
        }
        lines = [f"{name}: {value}" for name, value in given.items() if value]
        self.buffer = b""
        self.close_code: int | None = None
        try:
            self.socket.sendall("\r\n".join(["GET /ws HTTP/1.1", *lines, "", ""]).encode())
            self.head = self._until(b"\r\n\r\n").decode()
        except BaseException:
            self.socket.close()
            raise
        self.status = int(self.head.split(" ")[1])

    def __enter__(self) -> Ws:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def _until(self, mark: bytes) -> bytes:
        while mark not in self.buffer:
            self._more()
        head, _, self.buffer = self.buffer.partition(mark)
        return head

    def _more(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise EOFError
        self.buffer += data

    def _take(self, count: int) -> bytes:
        while len(self.buffer) < count:
            self._more()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def frame(self) -> tuple[int, bytes]:
        """Opcode and payload of the next frame; asserts that it is one an honest server sends."""
        first, second = self._take(2)
        assert first & 0x70 == 0, f"reserved bits in {first:#x}: the frames are mixed up"
        assert second & 0x80 == 0, "a server masks nothing"
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", self._take(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", self._take(8))
        return first & 0x0F, self._take(size)

    def message(self) -> Any:
        """The next JSON message; pongs are passed over. Raises EOFError at the end, noting the close code."""
        while True:
            opcode, payload = self.frame()
            if opcode == 8:
                self.close_code = struct.unpack("!H", payload[:2])[0]
                raise EOFError
            if opcode == 1:
                return json.loads(payload)
            assert opcode == 10, opcode

    def send(self, value: Any) -> None:
        self.raw(0x81, value if isinstance(value, bytes) else json.dumps(value).encode())

    def raw(self, first: int, payload: bytes = b"") -> None:
        size = len(payload)
        if size < 126:
            head = struct.pack("!BB", first, 0x80 | size)
        elif size < 65536:
            head = struct.pack("!BBH", first, 0x80 | 126, size)
        else:
            head = struct.pack("!BBQ", first, 0x80 | 127, size)
        self.socket.sendall(head + b"\0\0\0\0" + payload)

    def until(self, wanted: str, seconds: float = 10) -> Any:
        """The next message that has the key `wanted`."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = self.message()
            if wanted in found:
                return found
        raise AssertionError(f"no message with {wanted!r}")

    def seqs(self, last: int) -> list[int]:
        """Every seq received until `last` has been."""
        found: list[int] = []
        while not found or found[-1] < last:
            message = self.message()
            if "events" in message:
                got = [event["seq"] for event in message["events"]]
                assert (message["first"], message["last"]) == (got[0], got[-1])
                found += got
        return found

    def end(self) -> int | None:
        """The close code, once the server has closed; None for a bare end."""
        with contextlib.suppress(EOFError, ConnectionResetError):
            while True:
                self.message()
        return self.close_code


def bearer(site: Installation, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {site.token}", **more}


def open_ws(site: Installation, **options: Any) -> Ws:
    found = Ws(site.address, bearer(site), **options)
    assert found.status == 101, found.head
    return found
