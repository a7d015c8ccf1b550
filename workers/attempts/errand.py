"""A short command beside the attempts of a task: contained, redacted and ended as they are, and waited for to its end."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from shared import tasks
from shared.config import Config
from shared.errors import AgentLost, NotReady
from shared.lifecycle import StopReason
from shared.network import host_grants
from shared.secrets import keeping
from shared.store.models import Task
from workers.attempts import environment, granting, homes, log, process, reach, sandbox
from workers.attempts.sandbox.limits import of as limits_of
from workers.shim.frames import STDERR, STDOUT

OUTPUT_BYTES = 32 << 10
SHORTEST_SECONDS, LONGEST_SECONDS = 0.02, 0.25
#: Set when this worker was interrupted (Ctrl-C): it leaves no command of its running (contract 2).
interrupted = threading.Event()


@dataclass(frozen=True)
class Errand:
    """`id` names it and its processes. It sees `folder`, which it may write, and reads `objects` of git.

    `git_mount` is as in `Bounds`; `variables` stand in its environment.
    """

    id: str
    command: str
    folder: Path
    cwd: Path
    objects: Sequence[Path]
    seconds: float
    git_mount: tuple[Path, Path] | None = None
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Done:
    """How it ended; `stopped` is why it was ended from our side otherwise than by its time.

    `output` is the end of what it printed, both streams in order, redacted and at most 32 KiB.
    """

    code: int | None
    timed_out: bool
    error: str | None
    output: str
    millis: int
    stopped: str | None = None


def run(
    errand: Errand,
    directory: Path,
    task: Task,
    config: Config,
    is_over: Callable[[], bool] | None = None,
) -> Done:
    """Run the command to its end, or go on waiting for one that another worker started; `directory` keeps its log.

    It is ended early once `is_over` says so.

    Raises NotReady where the task's policy requires a containment that this host has not, SandboxFailed or AgentLost
    when it could not be started.
    """
    process.start(directory, _launch(errand, directory, task, config), lambda identity: True)
    rest = SHORTEST_SECONDS
    while (state := process.state(directory)) in ("starting", "alive"):
        if interrupted.is_set() or (is_over is not None and is_over()):
            _end(directory)
        time.sleep(rest)
        rest = min(LONGEST_SECONDS, rest * 1.5)
    exit = process.read_exit(directory)
    process.sweep(errand.id)
    if exit is None:
        raise AgentLost(f"The command was lost with its supervisor ({state}).")
    return Done(
        code=exit.code,
        timed_out=exit.reason == StopReason.BUDGET,
        error=exit.exec_error or exit.sandbox_error or _over_limit(exit.reason),
        output=_printed(directory),
        millis=exit.runtime_millis,
        stopped=exit.reason if exit.reason != StopReason.BUDGET else None,
    )


def _end(directory: Path) -> None:
    with suppress(AgentLost), closing(process.attach(directory)) as control:  # gone meanwhile is as good
        control.request("stop", id="end", why=StopReason.USER)


def _over_limit(reason: str | None) -> str | None:
    return f"It was stopped: {reason}." if reason in (StopReason.MEMORY, StopReason.PROCESSES) else None


def _launch(errand: Errand, directory: Path, task: Task, config: Config) -> process.Launch:
    policy = tasks.policy_of(task)
    tier = sandbox.chosen(policy, config)
    if policy.contained and not tier.works and policy.enforcement == "required":
        raise NotReady(f"The policy requires containment, and this host has none. {tier.detail}")
    granted = granting.resolve(keeping.granted_names(task), config.environment)
    env, keys = environment.build(
        config.environment,
        policy=policy,
        passes=(),
        additions=errand.variables,
        granted=granted,
        task_id=task.id,
        attempt_id=errand.id,
    )
    argv = ["/bin/sh", "-c", errand.command]
    limits = limits_of(policy)
    confined = None
    reached = reach.of(host_grants.with_granted(task, policy), tier, config)
    if policy.contained and tier.works:
        env |= reached.environment
        bounds = sandbox.Bounds(
            worktree=errand.folder,
            cwd=errand.cwd,
            home=Path(env["HOME"]),
            objects_read_only=errand.objects,
            git_mount=errand.git_mount,
            read_only=[Path(path).expanduser() for path in policy.home_paths],
            hidden=[config.data, config.database.parent, config.secrets_key_file],
            network=reached.network,
            ports=reached.ports,
            environment=env,
            limits=limits,
            scratch=homes.scratch(directory) if tier.name == "landlock" else None,
        )
        confined = sandbox.confine(argv, bounds, tier.name)
    return process.Launch(
        attempt_id=errand.id,
        argv=argv,
        env=env,
        cwd=str(errand.cwd),
        close_input_after_first=True,
        wall_seconds=errand.seconds,
        secrets={**granting.to_mask(config.environment, granted), **keys},
        redact_rules=not policy.allow_secrets,
        confinement=confined,
        limits=limits.refused(tier.name if confined else "none"),
        watched=limits.watched(),
        network=reached.launch,
    )


def _printed(directory: Path) -> str:
    kept: deque[bytes] = deque()
    size, offset = 0, 0
    while True:
        frames, following = log.read(directory / "log", offset)
        if following == offset:
            break
        offset = following
        for frame in frames:
            if frame.stream in (STDOUT, STDERR):
                kept.append(frame.payload)
                size += len(frame.payload)
                while size - len(kept[0]) > OUTPUT_BYTES:
                    size -= len(kept.popleft())
    return b"".join(kept)[-OUTPUT_BYTES:].decode("utf-8", "replace")
