"""The worker's side of the shim: start it, find it again, read how it ended, and leave no process of it.

An attempt directory (0700) holds `lock` (held by the shim and inherited by the agent: the proof of life),
`identity.json`, `log`, `control.sock`, `exit.json` and `shim.err`. Nothing else starts a shim.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from shared.errors import AgentLost, SandboxFailed
from workers.attempts.connection import CONNECT_SECONDS, Control, connect
from workers.attempts.launch import STOP_LADDER, TAG, Exit, Identity, Launch
from workers.shim import proc
from workers.shim.frames import PROTOCOL
from workers.shim.handshake import HELD, LOST

__all__ = [
    "PROTOCOL",
    "STOP_LADDER",
    "Control",
    "Exit",
    "Identity",
    "Launch",
    "State",
    "attach",
    "read_exit",
    "read_identity",
    "start",
    "state",
    "sweep",
]

State = Literal["absent", "starting", "alive", "exited", "lost"]
SHIM = Path(__file__).parents[1] / "shim/shim.py"
START_SECONDS = 20.0
GONE_SECONDS = 2.0
SWEEP_SECONDS = 10.0
_WRITE_BYTES = 1 << 16


def start(
    directory: Path,
    launch: Launch,
    commit: Callable[[Identity], bool],
    *,
    timeout_seconds: float = START_SECONDS,
) -> bool:
    """Start the attempt's shim, and with it the agent once `commit` has recorded who the shim is.

    Returns True when the agent was let go, and also, without calling `commit`, when this attempt has a live shim
    or an exit record already: starting twice starts once. Returns False when `commit` did; its errors pass
    through; either way nothing runs and starting again is safe. A program that cannot be executed is no error
    here but an exit record with `exec_error`. Raises SandboxFailed when containment could not be built, and
    AgentLost when the shim died, did not answer in time, or the attempt had run before and was lost.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    errors = os.open(directory / "shim.err", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        first = subprocess.Popen(  # noqa: S603
            [sys.executable, "-I", "-S", str(SHIM), str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd="/",
            env={},
            start_new_session=True,
        )
    finally:
        os.close(errors)
    with first:
        leash = _Leash(first, time.monotonic() + timeout_seconds)
        try:
            return _handshake(directory, launch, commit, leash)
        finally:
            leash.let_go()


def _handshake(directory: Path, launch: Launch, commit: Callable[[Identity], bool], leash: _Leash) -> bool:
    leash.send(launch.message())
    said = leash.hear()
    if said is None:
        return _did_not_come_up(directory, leash.exit_code())
    if not commit(Identity.of(said["identity"])):
        return False
    leash.send(b"go\n")
    try:
        said = leash.hear()
    except AgentLost:  # slow, but let go: from here on the attempt directory's state is the truth
        return True
    if said is None:
        raise AgentLost(f"The shim died while it started the agent: {_last_words(directory)}")
    if said.get("sandbox_error"):
        raise SandboxFailed(
            f"The sandbox could not be built, and the agent never ran: {said['sandbox_error']}"
        )
    return True


def _did_not_come_up(directory: Path, code: int | None) -> bool:
    if code in (0, HELD):
        return True
    if code == LOST:
        raise AgentLost("This attempt has run before and its shim was lost; it is not started a second time.")
    raise AgentLost(f"The shim did not start: {_last_words(directory)}")


def _last_words(directory: Path) -> str:
    with suppress(OSError):
        lines = (directory / "shim.err").read_bytes()[-4096:].decode(errors="replace").strip().splitlines()
        if lines:
            return lines[-1][:500]
    return "it said nothing"


class _Leash:
    """The pipes to a starting shim; every wait on them ends at one deadline."""

    def __init__(self, first: subprocess.Popen[bytes], until: float) -> None:
        assert first.stdin is not None  # noqa: S101
        assert first.stdout is not None  # noqa: S101
        self._first, self._stdin, self._stdout, self._until = first, first.stdin, first.stdout, until
        os.set_blocking(self._stdin.fileno(), False)
        self._heard = b""

    def send(self, data: bytes) -> None:
        """Write all of it; a shim that has ended already is noticed by `hear`."""
        view = memoryview(data)
        while view:
            if not select.select([], [self._stdin], [], self._left())[1]:
                raise AgentLost("The shim does not read its launch.")
            try:
                view = view[os.write(self._stdin.fileno(), view[:_WRITE_BYTES]) :]
            except BrokenPipeError:
                return

    def hear(self) -> dict[str, Any] | None:
        """The shim's next line; None when it has ended."""
        while b"\n" not in self._heard:
            if not select.select([self._stdout], [], [], self._left())[0]:
                raise AgentLost("The shim did not answer in time.")
            data = os.read(self._stdout.fileno(), 4096)
            if not data:
                return None
            self._heard += data
        line, _, self._heard = self._heard.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        return found

    def exit_code(self) -> int | None:
        """Of the first process, which ends as soon as the shim stands on its own."""
        with suppress(subprocess.TimeoutExpired):
            return self._first.wait(self._left())
        return None

    def let_go(self) -> None:
        """Close the leash; a shim that was not told to go ends, and is waited for."""
        self._stdin.close()
        until = time.monotonic() + GONE_SECONDS
        with suppress(OSError):
            while (left := until - time.monotonic()) > 0:
                if not select.select([self._stdout], [], [], left)[0] or not os.read(
                    self._stdout.fileno(), 4096
                ):
                    break
        if self.exit_code() is None:
            self._first.kill()

    def _left(self) -> float:
        return max(0.0, self._until - time.monotonic())


def state(directory: Path) -> State:
    """What became of an attempt, by its lock and files; asking changes nothing.

    absent: nothing of it has run, start it. starting: a shim waits for its go. alive: shim or agent run.
    exited: there is an exit record. lost: the agent may have run, but its shim is gone without a record; what the
    agent left, if anything, still holds the lock, and `sweep` ends it.
    """
    if (directory / "exit.json").exists():
        return "exited"
    held = _is_held(directory / "lock")
    may_have_run = (directory / "log").exists()
    if held and not may_have_run:
        return "starting"
    if held and not _shim_is_gone(directory):
        return "alive"
    if may_have_run and (directory / "exit.json").exists():
        return "exited"  # it ended between the first look and the second
    return "lost" if may_have_run else "absent"


def _shim_is_gone(directory: Path) -> bool:
    identity = read_identity(directory)
    if identity is None:
        return False
    found = proc.stat(identity.shim_pid)
    lives = found is not None and found[0] not in "ZX" and found[2] == identity.shim_start
    return not lives or identity.boot_id != proc.boot_id()


def _is_held(path: Path) -> bool:
    try:
        lock = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False


def read_exit(directory: Path) -> Exit | None:
    """The exit record; None while there is none."""
    record = _json(directory / "exit.json")
    return Exit.of(record) if record else None


def read_identity(directory: Path) -> Identity | None:
    """Who the attempt's shim is or was; None when none came that far."""
    record = _json(directory / "identity.json")
    return Identity.of(record) if record else None


def _json(path: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise AgentLost(f"{path} is damaged: {error}.") from error
    return found


def attach(directory: Path, *, timeout_seconds: float = CONNECT_SECONDS) -> Control:
    """A connection to a live shim, also one that another worker started. Raises AgentLost when there is none.

    A shim that has only just been let go may not listen yet; that is waited for.
    """
    until = time.monotonic() + timeout_seconds
    while True:
        try:
            return connect(directory)
        except AgentLost:
            # A held lock with no listener for long: the shim was killed and the agent's orphans hold on to it.
            if state(directory) not in ("starting", "alive") or time.monotonic() > until:
                raise
        time.sleep(0.01)


def sweep(attempt_id: str) -> int:
    """Kill every process of this user that carries the attempt's tag, and all below them, until none is left.

    For an attempt whose shim is gone. Returns how many were killed. Raises AgentLost when some cannot be.
    """
    killed: set[proc.Process] = set()
    until = time.monotonic() + SWEEP_SECONDS
    while found := proc.carriers(TAG, attempt_id):
        for process in [*found, *proc.descendants([pid for pid, _ in found])]:
            if process[0] != os.getpid() and proc.send(process, 9):
                killed.add(process)
        if time.monotonic() > until:
            raise AgentLost(
                f"Processes of attempt {attempt_id} cannot be killed: {[pid for pid, _ in found]}."
            )
        time.sleep(0.002)
    return len(killed)
