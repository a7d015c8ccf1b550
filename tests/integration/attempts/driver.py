"""Starts one attempt for a test and waits on what becomes of it."""

from __future__ import annotations

import base64
import json
import os
import sys
from pathlib import Path
from typing import Any

from tests.waiting import wait_until
from workers.attempts import log, process
from workers.shim import proc
from workers.shim.frames import NOTE, STDERR, STDIN, STDOUT

__all__ = ["NOTE", "STDERR", "STDIN", "STDOUT", "Run"]


class Run:
    """One attempt in `directory`; whatever is left of it at the end is killed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.attempt_id = f"test-{os.getpid()}-{directory.name}-{id(self)}"
        self._controls: list[process.Control] = []

    def launch(self, *argv: str, **fields: Any) -> process.Launch:
        fields.setdefault("env", {"PATH": os.environ["PATH"], "HOME": "/"})
        fields.setdefault("cwd", str(self.directory.parent))
        return process.Launch(attempt_id=self.attempt_id, argv=argv, **fields)

    def start(self, *argv: str, **fields: Any) -> Run:
        assert process.start(self.directory, self.launch(*argv, **fields), lambda _: True)
        return self

    def sh(self, command: str, **fields: Any) -> Run:
        return self.start("/bin/sh", "-c", command, **fields)

    def python(self, code: str, **fields: Any) -> Run:
        return self.start(sys.executable, "-c", code, **fields)

    @property
    def state(self) -> str:
        return process.state(self.directory)

    def control(self) -> process.Control:
        control = process.attach(self.directory)
        self._controls.append(control)
        return control

    def ask(self, op: str, **fields: Any) -> dict[str, Any]:
        return self.control().request(op, **fields)

    def say(self, key: str, data: bytes) -> dict[str, Any]:
        return self.ask("input", id=key, data=base64.b64encode(data).decode())

    def text(self, stream: int = STDOUT) -> bytes:
        frames, _ = log.read(self.directory / "log", 0, 1 << 30)
        return b"".join(frame.payload for frame in frames if frame.stream == stream)

    def notes(self) -> list[dict[str, Any]]:
        frames, _ = log.read(self.directory / "log", 0, 1 << 30)
        return [json.loads(frame.payload) for frame in frames if frame.stream == NOTE]

    def note_names(self) -> list[str]:
        return [note["note"] for note in self.notes()]

    def shows(self, data: bytes, stream: int = STDOUT, timeout: float = 10) -> None:
        wait_until(lambda: data in self.text(stream), timeout, what=f"{data!r} in the log")

    def ended(self, timeout: float = 15) -> process.Exit:
        wait_until(lambda: self.state == "exited", timeout, what="the exit record")
        found = process.read_exit(self.directory)
        assert found is not None
        wait_until(self.shim_is_gone, what="the shim to end")
        return found

    def shim(self) -> tuple[int, int]:
        found = process.read_identity(self.directory)
        assert found is not None
        return found.shim_pid, found.shim_start

    def shim_is_gone(self) -> bool:
        pid, started = self.shim()
        found = proc.stat(pid)
        return found is None or found[2] != started or found[0] == "Z"

    def members(self) -> list[proc.Process]:
        return proc.carriers(process.TAG, self.attempt_id)

    def all_is_gone(self, timeout: float = 5) -> None:
        wait_until(lambda: not self.members(), timeout, what="every process of the attempt to be gone")

    def kill_shim(self) -> None:
        assert proc.send(self.shim(), 9)

    def close(self) -> None:
        for control in self._controls:
            control.close()
        if process.read_identity(self.directory) and not self.shim_is_gone():
            self.kill_shim()
        process.sweep(self.attempt_id)
