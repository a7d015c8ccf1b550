"""What a shim is told to start, who it then is, and how it ended: the values on both sides of the boundary."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import re2

from workers.attempts.sandbox.bounds import Confined
from workers.shim.recorder import HEAD_BYTES, TAIL_BYTES

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
STOP_LADDER: tuple[tuple[str, float], ...] = (("TERM", 5.0),)
#: Marks every process of an attempt, for the sweep after a shim was killed (facts 3: both CLIs pass it on).
TAG = "OPENRUNTIME_ATTEMPT_ID"


@dataclass(frozen=True)
class Launch:
    """One start of an agent. Handed to the shim through a pipe; no part of it is ever in a file.

    `ladder` is [(signal name, grace seconds), …]; SIGKILL follows. `requests` is {"where": {top-level key: value
    or None for "present"}, "id": dotted path}: which output lines are questions that `answer` may refer to.
    `wall_seconds` does not count time spent waiting for a person. `env` must carry OPENRUNTIME_ATTEMPT_ID.
    `limits` and `watched` are a Limits' two halves: what the kernel refuses, and what the shim stops the agent for.
    `network` is what a contained agent reaches through a proxy: {"port" it listens on inside, "listed", "model" and
    "forwards" as [host, port] pairs (the last are ports of the agent's own loopback), "ours": ports that stay shut}.
    """

    attempt_id: str
    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: str
    first_input: bytes = b""
    close_input_after_first: bool = False
    pty: bool = False
    wall_seconds: float | None = None
    ladder: Sequence[tuple[str, float]] = STOP_LADDER
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    redact_rules: bool = True
    requests: Mapping[str, Any] | None = None
    detect_input: bool = False
    confinement: Confined | None = None
    limits: Mapping[str, int] = field(default_factory=dict)
    watched: Mapping[str, int] = field(default_factory=dict)
    network: Mapping[str, Any] | None = None
    log_head_bytes: int = HEAD_BYTES
    log_tail_bytes: int = TAIL_BYTES

    def message(self) -> bytes:
        """The line the shim reads from its leash."""
        confined = self.confinement
        return (
            json.dumps(
                {
                    "attempt_id": self.attempt_id,
                    "argv": list(self.argv),
                    "env": {**self.env, TAG: self.attempt_id, **(confined.environment if confined else {})},
                    "cwd": self.cwd,
                    "first_input": base64.b64encode(self.first_input).decode(),
                    "close_input_after_first": self.close_input_after_first,
                    "pty": self.pty,
                    "wall_seconds": self.wall_seconds,
                    "ladder": [list(step) for step in self.ladder],
                    "secrets": dict(self.secrets),
                    "redact_rules": self.redact_rules,
                    "requests": self.requests,
                    "detect_input": self.detect_input,
                    "log_head_bytes": self.log_head_bytes,
                    "log_tail_bytes": self.log_tail_bytes,
                    "limits": dict(self.limits),
                    "watched": dict(self.watched),
                    "confinement": confined
                    and {
                        "argv": list(confined.argv),
                        "seccomp": base64.b64encode(confined.seccomp).decode(),
                        "landlock": confined.landlock,
                    },
                    "network": self.network,
                    "library_paths": [str(Path(re2.__file__).parent.parent)],
                }
            ).encode()
            + b"\n"
        )


@dataclass(frozen=True)
class Identity:
    """Who a shim is. `shim_start` is in clock ticks since the boot that `boot_id` names."""

    protocol: int
    shim_pid: int
    shim_start: int
    boot_id: str

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Identity:
        return cls(
            int(record["protocol"]),
            int(record["shim_pid"]),
            int(record["shim_start"]),
            str(record["boot_id"]),
        )


@dataclass(frozen=True)
class Exit:
    """How an attempt ended. `code` and `signal` are both None when the agent never ran.

    `reason` is what ended it from our side (`user`, `budget-exceeded`, `interrupted`, `disk-full`, …) or None.
    `exec_error`: the program could not be started. `sandbox_error`: its containment could not be built.
    `stragglers` are processes that were still there when the main one ended. A contained agent that died of
    signal N has code 128 + N: so bubblewrap reports it.
    """

    protocol: int
    code: int | None
    signal: int | None
    reason: str | None
    exec_error: str | None
    sandbox_error: str | None
    stragglers: int
    stdout_bytes: int
    stderr_bytes: int
    dropped_bytes: int
    started_at: datetime
    ended_at: datetime
    runtime_millis: int
    cpu_seconds: float
    max_rss_bytes: int

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Exit:
        plain = {name: record[name] for name in cls.__dataclass_fields__ if not name.endswith("_at")}
        return cls(
            **plain,
            started_at=EPOCH + timedelta(microseconds=record["started_at_us"]),
            ended_at=EPOCH + timedelta(microseconds=record["ended_at_us"]),
        )
