"""What may be asked of a live shim: each operation of the control socket, done once however often it is sent."""

from __future__ import annotations

import binascii
import os
import signal

from workers.shim.frames import PROTOCOL, STDERR, STDOUT
from workers.shim.input_queue import MAX_UNSENT_BYTES
from workers.shim.originals import Unanswerable

TYPE_CHECKING = False  # checkers read it as true; importing typing for it would cost every shim 3 ms
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from workers.shim.loop import Shim

MAX_IDS = 100_000
MAX_ID_CHARS = 200
MAX_WHY_CHARS = 64


class Refused(ValueError):
    """The operation was not done; the message says why."""


class Operations:
    """Handles messages for one shim. Ids of what was done are kept for the life of the attempt."""

    def __init__(self, shim: Shim) -> None:
        self._shim = shim
        self._done: set[str] = set()
        self._plain: dict[str, Callable[[], dict[str, Any]]] = {
            "hello": self._hello,
            "status": self._status,
            "pause": self._pause,
            "resume": self._resume,
        }
        self._once: dict[str, Callable[[dict[str, Any]], None]] = {
            "input": self._input,
            "close_input": self._close_input,
            "interrupt": self._interrupt,
            "answer": self._answer,
            "stop": self._stop,
        }

    def handle(self, message: dict[str, Any]) -> dict[str, Any]:
        """The answer: {"ok": true, …}, with `duplicate` for an id that was done before, or ok false and `error`."""
        name = message["op"]
        if name in self._plain:
            return {"ok": True, **self._plain[name]()}
        if name not in self._once:
            return _error(f"There is no operation {name!r}.")
        key = message.get("id")
        if not isinstance(key, str) or not 0 < len(key) <= MAX_ID_CHARS:
            return _error(f"{name} needs an id, a string of at most {MAX_ID_CHARS} characters.")
        if key in self._done:
            return {"ok": True, "duplicate": True}
        if len(self._done) >= MAX_IDS:
            return _error("This attempt has taken as many operations as it can remember.")
        try:
            self._once[name](message)
        except KeyError as error:
            return _error(f"{name} needs {error}.")
        except (ValueError, TypeError, AttributeError) as error:
            return _error(str(error))
        self._done.add(key)
        return {"ok": True}

    def first_input(self) -> None:
        """Write what the launch brought along."""
        launch = self._shim.launch
        data = binascii.a2b_base64(launch["first_input"])
        if data:
            self._shim.recorder.input(data)
            self._shim.input.add(data)
        if launch["close_input_after_first"]:
            self._shim.input.close()

    def _hello(self) -> dict[str, Any]:
        return {"protocol": PROTOCOL, "shim_pid": os.getpid(), "attempt_id": self._shim.launch["attempt_id"]}

    def _status(self) -> dict[str, Any]:
        shim = self._shim
        return {
            "running": not shim.ended,
            "waiting": shim.waiting,
            "paused": shim.clock.paused,
            "reason": shim.reason,
            "size": shim.recorder.size_bytes,
            "stdout_bytes": shim.recorder.seen[STDOUT],
            "stderr_bytes": shim.recorder.seen[STDERR],
            "dropped_bytes": sum(shim.recorder.dropped.values()),
            "unsent_input_bytes": shim.input.unsent,
            "input_open": shim.input.takes_more and not shim.ended,
            "runtime_millis": round(shim.clock.worked_seconds * 1000),
            "requests": shim.requests.ids if shim.requests else [],
        }

    def _pause(self) -> dict[str, Any]:
        self._shim.clock.pause("asked")
        return {}

    def _resume(self) -> dict[str, Any]:
        self._shim.clock.resume("asked")
        return {}

    def _input(self, message: dict[str, Any]) -> None:
        self._write(binascii.a2b_base64(message["data"].encode(), strict_mode=True))

    def _write(self, data: bytes) -> None:
        shim = self._shim
        if shim.ended:
            raise Refused("The agent has ended.")
        if not shim.input.takes_more:
            raise Refused("The agent's input is closed.")
        if shim.input.unsent + len(data) > MAX_UNSENT_BYTES:
            raise Refused(f"The agent has not read {shim.input.unsent} bytes yet; send this again later.")
        shim.recorder.input(data)
        shim.heard_input()
        shim.input.add(data)

    def _close_input(self, _: dict[str, Any]) -> None:
        if self._shim.ended:
            raise Refused("The agent has ended.")
        self._shim.input.close()
        self._shim.heard_input()

    def _interrupt(self, _: dict[str, Any]) -> None:
        shim = self._shim
        if shim.ended:
            raise Refused("The agent has ended.")
        shim.heard_input()
        if shim.agent.pty:
            group = os.tcgetpgrp(shim.agent.output)
            if group > 1:
                os.killpg(group, signal.SIGINT)
                return
        shim.family.signal(signal.SIGINT)

    def _answer(self, message: dict[str, Any]) -> None:
        if self._shim.requests is None:
            raise Unanswerable("This attempt's agent asks no questions by its protocol.")
        if not self._shim.input.takes_more or self._shim.ended:
            raise Refused("The agent's input is closed.")
        self._write(self._shim.requests.answer(message["request_id"], message["reply"]))

    def _stop(self, message: dict[str, Any]) -> None:
        why = message["why"]
        if not isinstance(why, str) or not 0 < len(why) <= MAX_WHY_CHARS:
            raise Refused(f"why is a word of at most {MAX_WHY_CHARS} characters.")
        self._shim.stop(why, message.get("ladder"))


def _error(text: str) -> dict[str, Any]:
    return {"ok": False, "error": text}
