"""A push that stands right behind an answer is not lost, and the shim is asked for more."""

from __future__ import annotations

import json
import socket

from workers.attempts.connection import Control


def test_a_push_that_comes_with_the_answer_is_kept_and_answered() -> None:
    ours, shims = socket.socketpair()
    with ours, shims:
        shims.sendall(b'{"n": 1, "ok": true, "size": 0}\n{"grew": 20}\n')
        control = Control(ours)
        assert control.request("watch")["ok"] is True
        assert control.pushes() == [{"grew": 20}]
        shims.settimeout(5)
        asked = [json.loads(line)["op"] for line in shims.recv(4096).splitlines()]
        assert asked == ["watch", "more"]
