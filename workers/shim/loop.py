"""The shim's loop: one thread that moves bytes between an agent, its log and the control socket."""

from __future__ import annotations

import json
import os
import selectors
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from workers.shim import exit_record, proc, spawn, usage
from workers.shim.budget import WorkClock
from workers.shim.control import ControlServer
from workers.shim.ending import Family, Ladder
from workers.shim.frames import STDERR, STDOUT
from workers.shim.input_queue import InputQueue
from workers.shim.operations import Operations
from workers.shim.originals import OpenRequests
from workers.shim.recorder import Recorder

TYPE_CHECKING = False  # checkers read it as true; importing typing for it would cost every shim 3 ms
if TYPE_CHECKING:
    from typing import Any

    from workers.shim.network import Network

NEVER = float("inf")
READ_BYTES = 1 << 17  # measured: larger pieces let agent and shim wait for each other
QUIET_SECONDS = 0.15
STUCK_SECONDS = 1.0  # a tail that only ever grows is shown after this, quiet or not
DRAIN_SECONDS = 1.0
FIRST_ERRORS_BYTES = 2048  # of stderr: where a sandbox says why it could not be built
LOOK_SECONDS = 0.5
BLOCKED_SECONDS, GUESS_SECONDS = 1.5, 3.0
SETTLE_SECONDS = 0.005  # how often a sandbox that is being built is looked at


class Shim:
    """One agent's supervisor, from go to the exit record. `report` tells the starter how the start went."""

    def __init__(
        self, launch: Mapping[str, Any], lock: int, report: Callable[[dict[str, object]], None]
    ) -> None:
        self.launch, self._lock, self._report = launch, lock, report
        self.ladder = Ladder(launch["ladder"])
        self.family = Family()
        self._selector = selectors.DefaultSelector()
        self.started_us = time.time_ns() // 1000
        self.reason: str | None = None
        self.exec_error: str | None = None
        self.sandbox_problem: str | None = None
        self.exit_code: int | None = None  # as the sandbox reports it
        self.ran = False
        self.waiting = False
        self.stragglers = 0
        self._open: set[int] = set()
        self._status_line = b""
        self._first_errors = b""
        self._output_at = self._shown_at = self._looked_at = self._counted_at = time.monotonic()
        self._flushed_at = 0.0
        self._ended_at: float | None = None
        self.recorder = Recorder(  # here, while the starter commits: it compiles the rules
            launch["secrets"],
            rules=launch["redact_rules"],
            head_bytes=launch["log_head_bytes"],
            tail_bytes=launch["log_tail_bytes"],
        )
        self.network = self._network()

    def run(self) -> None:
        """Start the agent, serve until nothing of it is left, and write its exit record."""
        launch = self.launch
        exit_record.reserve()
        self.recorder.open("log")
        proc.sync_folder()  # from here on a log says, also after a power cut, that the agent may have run
        requests = launch.get("requests")
        self.requests = (
            OpenRequests(requests["where"], requests["id"], self.recorder.redacted) if requests else None
        )
        self._watch_signals()
        spawn.adopt_orphans()
        self.clock = WorkClock(launch["wall_seconds"])
        try:
            self.agent = spawn.start(launch, self._lock)
        except (spawn.ExecFailed, spawn.NotConfined) as error:
            if isinstance(error, spawn.NotConfined):
                self.sandbox_problem = str(error)
            else:
                self.exec_error = str(error)
            self._finish(None)
            return
        self.family.main = self.agent.pid
        self.input = InputQueue(self._selector, self.agent.input, self.agent.pty)
        self._watch_agent()
        operations = Operations(self)
        server = ControlServer(self._selector, operations.handle, lambda: self.recorder.size_bytes)
        if self.agent.status is None:
            self._has_started()
        operations.first_input()
        while not self._is_over():
            for key, mask in self._selector.select(self._patience()):
                key.data(mask)
            self._on_time()
            server.grew()
        self._finish(server)

    def stop(self, why: str, ladder: list[list[object]] | None = None) -> None:
        """Begin to end the agent, for the first reason that is given."""
        self.ladder.begin(ladder)
        self.reason = self.reason or why

    def heard_input(self) -> None:
        """Somebody wrote to the agent: whatever it waited for, it goes on."""
        self._output_at = time.monotonic()
        self._resumed()

    @property
    def ended(self) -> bool:
        return self._ended_at is not None

    def _network(self) -> Network | None:
        if not self.launch.get("network"):
            return None
        from workers.shim.network import Network  # here, because it loads what other attempts do not need

        return Network(self.launch["network"], self._selector, self._note_reached, self._has_no_way_out)

    def _note_reached(self, said: Mapping[str, Any]) -> None:
        hidden = {name: self.recorder.redacted(str(said[name]).encode()) for name in ("host", "why")}
        self.recorder.note("network", **{**said, **hidden})

    def _has_no_way_out(self, problem: str) -> None:
        self.sandbox_problem = self.sandbox_problem or problem
        self.family.kill()

    def _watch_signals(self) -> None:
        awake, wake = os.pipe()
        os.set_blocking(awake, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self.stop("interrupted"))
        for name in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
            signal.signal(name, signal.SIG_IGN)
        self._selector.register(awake, selectors.EVENT_READ, lambda _: os.read(awake, 4096))

    def _watch_agent(self) -> None:
        agent = self.agent
        self._read_from(agent.output, lambda data: self._heard(STDOUT, data))
        if agent.errors is not None:
            self._read_from(agent.errors, lambda data: self._heard(STDERR, data))
        if agent.status is not None:
            self._selector.register(agent.status, selectors.EVENT_READ, lambda _: self._sandbox_says())

    def _read_from(self, descriptor: int, take: Callable[[bytes], None]) -> None:
        self._open.add(descriptor)

        def ready(_: int) -> None:
            try:
                data = os.read(descriptor, READ_BYTES)
            except BlockingIOError:
                return
            except OSError:  # a terminal whose last user is gone
                data = b""
            if data:
                take(data)
            else:
                self._selector.unregister(descriptor)
                self._open.discard(descriptor)

        self._selector.register(descriptor, selectors.EVENT_READ, ready)

    def _heard(self, stream: int, data: bytes) -> None:
        now = self._output_at = time.monotonic()
        if stream == STDOUT and self.requests is not None:
            self.requests.feed(data)
        if not self.recorder.held:
            self._shown_at = now
        if self.recorder.output(stream, data):
            self._shown_at = now
        if stream == STDERR and len(self._first_errors) < FIRST_ERRORS_BYTES:
            self._first_errors += data[:FIRST_ERRORS_BYTES]
        self._resumed()

    def _sandbox_says(self) -> None:
        """Read bubblewrap's own report: the pid its namespace begins with, and the command's exit code."""
        assert self.agent.status is not None  # noqa: S101
        try:
            data = os.read(self.agent.status, 4096)
        except BlockingIOError:
            return
        if not data:
            self._selector.unregister(self.agent.status)
            return
        *lines, self._status_line = (self._status_line + data).split(b"\n")
        for line in lines:
            with suppress(ValueError):
                said = json.loads(line)
                if "child-pid" in said:
                    pid = int(said["child-pid"])
                    self.family.sandbox_init = (pid, proc.start_time(pid))
                    if self.network is not None and self.agent.gate is not None:
                        self.network.start(said, self.agent.gate)
                        self.family.proxy = self.network.proxy
                if "exit-code" in said:
                    self.exit_code = int(said["exit-code"])
                    self._has_started()

    def _has_started(self) -> None:
        if not self.ran:
            self.ran = True
            self._report({"started": True})

    def _is_over(self) -> bool:
        if self._ended_at is None:
            self.family.reap()
            if self.family.status is None:
                return False
            self._ended_at = time.monotonic()
            self.clock.stop()
            self.ladder.due = None
        return not self._open or time.monotonic() >= self._ended_at + DRAIN_SECONDS

    def _settling(self) -> bool:
        """Whether a sandbox is being built; over as soon as its first process has a child, which is the command."""
        if self.ran or self.ended:
            return False
        init = self.family.sandbox_init
        if init and proc.tree(init[0], limit=1):
            self._has_started()
        return not self.ran

    def _patience(self) -> float:
        """Seconds until something is due."""
        now = time.monotonic()
        due = [now + 30.0]
        if self._settling():
            due.append(now + SETTLE_SECONDS)
        due.append(self._flush_at())
        if self._is_looking():
            due.append(max(self._looked_at + LOOK_SECONDS, self._output_at + BLOCKED_SECONDS))
        if self._is_counting():
            due.append(self._counted_at + usage.LOOK_SECONDS)
        for moment in (self.clock.ends_at, self.ladder.due):
            if moment is not None:
                due.append(moment)
        if self._ended_at is not None:
            due.append(self._ended_at + DRAIN_SECONDS)
        return max(0.0, min(due) - now)

    def _flush_at(self) -> float:
        """When an unterminated tail is to be shown; never while there is none that came since the last time."""
        if not self.recorder.held or self._output_at <= self._flushed_at:
            return NEVER
        return min(self._output_at + QUIET_SECONDS, self._shown_at + STUCK_SECONDS)

    def _on_time(self) -> None:
        now = time.monotonic()
        recorder = self.recorder
        if now >= self._flush_at():
            recorder.flush()
            self._shown_at = self._flushed_at = now
        if recorder.failed and not self.reason:
            self.stop(recorder.failed)  # an agent that nobody can follow must not go on
        if self.clock.ends_at is not None and now >= self.clock.ends_at and self.reason is None:
            self.stop("budget-exceeded")
        if self._is_counting() and now >= self._counted_at + usage.LOOK_SECONDS:
            self._counted_at = now
            self._count()
        if self.ladder.due is not None and now >= self.ladder.due and not self.ended:
            name = self.ladder.step(self.family)
            recorder.note("signal", signal=name, why=self.reason)
        if self._is_looking() and now >= max(
            self._looked_at + LOOK_SECONDS, self._output_at + BLOCKED_SECONDS
        ):
            self._looked_at = now
            self._look(now - self._output_at)

    def _is_counting(self) -> bool:
        return bool(self.launch.get("watched")) and not self.ended and self.reason is None

    def _count(self) -> None:
        """End an agent that uses more than it may at once: asked to end, it would go on using it meanwhile."""
        limits = self.launch["watched"]
        found = usage.over(limits, own=self.family.servants())
        if found:
            field, used = found
            self.recorder.note("over-limit", field=field, used=used, limit=limits[field])
            self.stop(usage.REASONS[field], [])

    def _is_looking(self) -> bool:
        return bool(self.launch["detect_input"]) and not self.ended and self.input.is_idle

    def _look(self, quiet_seconds: float) -> None:
        from workers.shim import waiting  # here, because most agents tell by their protocol

        init = self.family.sandbox_init
        found = waiting.blocked(init[0] if init else os.getpid(), self.agent.input_identity, self.agent.pty)
        detection = "read" if found == waiting.READ else None
        if found == waiting.POLL and quiet_seconds >= GUESS_SECONDS and waiting.is_prompt(self.recorder.last):
            detection = "guess"
        if detection and not self.waiting:
            self.recorder.flush()
            self.recorder.note("waiting", detection=detection)
            self.waiting = True
            self.clock.pause("waiting")
        elif not detection and self.waiting:
            self._resumed()

    def _resumed(self) -> None:
        if self.waiting:
            self.waiting = False
            self.clock.resume("waiting")
            self.recorder.note("resumed")

    def _finish(self, server: ControlServer | None) -> None:
        if self.network is not None:
            self.network.finish()
        if server is not None:
            self.stragglers = self.family.kill()
            self.family.reap()
            for _ in range(spawn.PIPE_BYTES // READ_BYTES + 1):
                for key in list(self._selector.get_map().values()):
                    if key.fd in self._open or key.fd == self.agent.status:
                        key.data(selectors.EVENT_READ)  # what still stood in the pipes
            if self.input.unsent:
                self.recorder.note("input-dropped", bytes=self.input.unsent)
        self.clock.stop()
        self.recorder.close()
        record = exit_record.of(self, self._first_errors)
        exit_record.write(record)
        if server is not None:
            server.exited()
        if not self.ran:
            self._report({"exec_error": record["exec_error"], "sandbox_error": record["sandbox_error"]})
