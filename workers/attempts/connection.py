"""A worker's connection to a live shim: one request at a time, and what the shim says of its own accord."""

from __future__ import annotations

import json
import os
import socket
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any

from shared.errors import AgentLost
from workers.shim.control import SOCKET
from workers.shim.frames import PROTOCOL

CONNECT_SECONDS = 5.0
_READ_BYTES = 1 << 16


class Control:
    """Requests to one shim, and its pushes. Not for use by two threads at once; `fileno` is for a selector."""

    def __init__(self, endpoint: socket.socket) -> None:
        self._endpoint = endpoint
        self._received = bytearray()
        self._pushes: deque[dict[str, Any]] = deque()
        self._number = 0
        self._ended = False

    def fileno(self) -> int:
        return self._endpoint.fileno()

    def request(self, op: str, *, timeout_seconds: float = 5.0, **fields: Any) -> dict[str, Any]:
        """The shim's answer to an operation: {"ok": …, "error"?, "duplicate"?, …}.

        Operations: hello, status, watch, pause, resume; and with an `id` that makes them happen once: input
        {data: base64}, close_input, interrupt, answer {request_id, reply}, stop {why, ladder?}. Raises AgentLost
        when the shim is gone or does not answer in time; the same id may then be sent again.
        """
        self._number += 1
        until = time.monotonic() + timeout_seconds
        asked = {"v": PROTOCOL, "n": self._number, "op": op, **fields}
        try:
            self._endpoint.settimeout(timeout_seconds)
            self._endpoint.sendall(json.dumps(asked).encode() + b"\n")
            while True:
                answered = None
                for (
                    message
                ) in self._messages():  # a push may stand right behind the answer: it must not be lost
                    if message.get("n") == self._number:
                        answered = message
                    else:
                        self._pushed(message)
                if answered is not None:
                    return answered
                self._endpoint.settimeout(max(0.001, until - time.monotonic()))
                data = self._endpoint.recv(_READ_BYTES)
                if not data:
                    self._ended = True
                    raise AgentLost(f"The shim ended before it answered {op}.")
                self._received += data
        except TimeoutError as error:
            raise AgentLost(f"The shim did not answer {op} within {timeout_seconds:g} s.") from error
        except OSError as error:
            raise AgentLost(f"The shim is gone: {error}.") from error

    def pushes(self) -> list[dict[str, Any]]:
        """What the shim said since the last call, without waiting: {"grew": bytes}, then {"exited": true} once.

        A connection that ended counts as exited, whatever the reason: look at the attempt directory's state.
        """
        self._endpoint.setblocking(False)
        while not self._ended:
            try:
                data = self._endpoint.recv(_READ_BYTES)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            self._ended = not data
            self._received += data
        for message in self._messages():
            self._pushed(message)
        found = list(self._pushes)
        self._pushes.clear()
        if any("grew" in push for push in found):
            self._ask_for_more()
        if self._ended and not any("exited" in push for push in found):
            found.append({"exited": True})
        return found

    def close(self) -> None:
        self._endpoint.close()

    def _pushed(self, message: dict[str, Any]) -> None:
        if "grew" in message or "exited" in message:
            self._pushes.append(message)

    def _ask_for_more(self) -> None:
        with suppress(OSError):  # gone, or its buffer is full of requests: it will say so itself
            self._endpoint.send(json.dumps({"v": PROTOCOL, "op": "more"}).encode() + b"\n")

    def _messages(self) -> list[dict[str, Any]]:
        *lines, rest = self._received.split(b"\n")
        self._received = bytearray(rest)
        return [json.loads(line) for line in lines]


def connect(directory: Path) -> Control:
    """A connection to the shim of an attempt directory. Raises AgentLost when none listens there."""
    endpoint = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    endpoint.settimeout(CONNECT_SECONDS)
    folder = -1
    try:
        # A socket's whole path may be too long for its address; through the open folder it never is.
        folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        short = f"/proc/self/fd/{folder}/{SOCKET}"
        endpoint.connect(short if os.path.exists(f"/proc/self/fd/{folder}") else str(directory / SOCKET))
    except OSError as error:
        endpoint.close()
        raise AgentLost(f"No shim listens in {directory}: {error.strerror}.") from error
    finally:
        if folder >= 0:
            os.close(folder)
    return Control(endpoint)
