"""Starts the agent's program below the shim: its pipes or terminal, its limits, and its containment's descriptors."""

from __future__ import annotations

import ctypes
import fcntl
import os
import resource
import signal
import struct
import termios
from collections.abc import Mapping
from contextlib import suppress

TYPE_CHECKING = False  # checkers read it as true; importing typing for it would cost every shim 3 ms
if TYPE_CHECKING:
    from typing import Any, NoReturn

# Stand in a confined argv for descriptors made here.
SECCOMP_FD, STATUS_FD, GATE_FD = "@fd:seccomp", "@fd:status", "@fd:gate"
PIPE_BYTES = 1 << 20
ROWS, COLUMNS = 40, 120
OPEN_FILES = 65_536
_F_SETPIPE_SZ = 1031
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_REASON_BYTES = 600
_NOT_CONFINED = b"\0"


class ExecFailed(OSError):
    """The program could not be started; the message is one sentence."""


class NotConfined(OSError):
    """The child could not shut itself in, and so it started nothing; the message is one sentence."""


class Agent:
    """The started program. Descriptors are the shim's ends, non-blocking; `status` is bubblewrap's report, and a
    byte into `gate` lets a sandbox that waits there run its command.

    `input_identity` is (device, inode) of the agent's own end of its input, as `os.stat` shows it.
    """

    def __init__(self, pty: bool) -> None:
        self.pty = pty
        self.pid = 0
        self.input = self.output = -1
        self.errors: int | None = None
        self.status: int | None = None
        self.gate: int | None = None
        self.input_identity = (0, 0)


def is_wrapped(launch: Mapping[str, Any]) -> bool:
    """Whether the command runs below bubblewrap, which tells of it by itself."""
    confinement = launch.get("confinement")
    return confinement is not None and not confinement.get("landlock")


def adopt_orphans() -> None:
    """Make this process the parent of every descendant whose parent ends, so that none gets out of sight."""
    prctl(_PR_SET_CHILD_SUBREAPER, 1)


def prctl(option: int, value: int) -> None:
    """Linux's prctl(2); elsewhere nothing."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(option, ctypes.c_ulong(value), *[ctypes.c_ulong(0)] * 3)


def die_with_parent(parent: int) -> None:
    """Be killed when the process `parent` ends, also when it has ended already."""
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(126)


def start(launch: Mapping[str, Any], lock: int) -> Agent:
    """Fork and execute. The agent inherits `lock`. Raises ExecFailed or NotConfined; nothing runs then."""
    agent = Agent(bool(launch["pty"]))
    theirs = _terminal(agent) if agent.pty else _pipes(agent)
    argv, inherited = list((launch.get("confinement") or launch)["argv"]), [lock]
    if is_wrapped(launch):
        argv, extra = _confined(agent, launch["confinement"])
        inherited += extra
    problem, report = os.pipe()
    parent = os.getpid()
    agent.pid = os.fork()
    if agent.pid == 0:
        _become(launch, argv, theirs, inherited, report, parent)
    os.close(report)
    for descriptor in {*theirs, *inherited[1:]}:
        os.close(descriptor)
    reason = os.read(problem, _REASON_BYTES)  # until the exec closes the other end
    os.close(problem)
    if reason:
        os.waitpid(agent.pid, 0)
        raise (NotConfined if reason.startswith(_NOT_CONFINED) else ExecFailed)(
            reason.removeprefix(_NOT_CONFINED).decode(errors="replace")
        )
    for ours in (agent.input, agent.output, agent.errors, agent.status):
        if ours is not None:
            os.set_blocking(ours, False)
    return agent


def _pipes(agent: Agent) -> tuple[int, int, int]:
    stdin, agent.input = os.pipe()
    agent.output, stdout = os.pipe()
    agent.errors, stderr = os.pipe()
    for pipe in (stdout, stderr):
        with suppress(OSError):  # the user's allowance for large pipes may be used up
            fcntl.fcntl(pipe, _F_SETPIPE_SZ, PIPE_BYTES)
    agent.input_identity = _identity(os.fstat(stdin))
    return stdin, stdout, stderr


def _terminal(agent: Agent) -> tuple[int, int, int]:
    agent.output, theirs = os.openpty()
    agent.input = os.dup(agent.output)
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    agent.input_identity = _identity(os.fstat(theirs))
    return theirs, theirs, theirs


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _confined(agent: Agent, confinement: Mapping[str, Any]) -> tuple[list[str], list[int]]:
    import binascii

    agent.status, status = os.pipe()
    program = os.memfd_create("seccomp")
    os.write(program, binascii.a2b_base64(confinement["seccomp"]))
    os.lseek(program, 0, os.SEEK_SET)
    named = {SECCOMP_FD: str(program), STATUS_FD: str(status)}
    made = [program, status]
    if GATE_FD in confinement["argv"]:
        gate, agent.gate = os.pipe()
        named[GATE_FD] = str(gate)
        made.append(gate)
    return [named.get(argument, argument) for argument in confinement["argv"]], made


def _become(
    launch: Mapping[str, Any],
    argv: list[str],
    streams: tuple[int, int, int],
    inherited: list[int],
    report: int,
    parent: int,
) -> NoReturn:
    """The child's side, up to its exec."""
    try:
        os.setsid()
        die_with_parent(parent)
        if launch["pty"]:
            fcntl.ioctl(streams[0], termios.TIOCSCTTY, 0)
        for number, descriptor in enumerate(streams):
            os.dup2(descriptor, number)
        for descriptor in inherited:
            os.set_inheritable(descriptor, True)
        signal.set_wakeup_fd(-1)
        for name in ("SIGPIPE", "SIGXFSZ", "SIGHUP", "SIGINT", "SIGTERM", "SIGCHLD"):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        _limit(launch.get("limits") or {})
        os.umask(0o022)
        os.chdir("/" if is_wrapped(launch) else launch["cwd"])
        if launch.get("confinement") and not is_wrapped(launch):
            _shut_in(launch["confinement"], report)
        os.execvpe(argv[0], argv, launch["env"])  # noqa: S606
    except OSError as error:
        where = error.filename if isinstance(error.filename, str) else argv[0]
        os.write(report, f"{where}: {error.strerror}.".encode()[:_REASON_BYTES])
    except Exception as error:  # noqa: BLE001 - whatever it is, the shim must hear of it
        os.write(report, repr(error).encode()[:_REASON_BYTES])
    finally:
        os._exit(127)


def _shut_in(confinement: Mapping[str, Any], report: int) -> None:
    """Restrict this process before it becomes the agent; one that cannot be restricted never does."""
    import binascii

    from workers.shim import landlock

    try:
        landlock.enter_as_told(confinement["landlock"], binascii.a2b_base64(confinement["seccomp"]))
    except OSError as error:
        said = f"{error.filename or 'the kernel'}: {error.strerror}."
        os.write(report, _NOT_CONFINED + said.encode()[: _REASON_BYTES - 1])
        os._exit(127)


def _limit(limits: Mapping[str, int]) -> None:
    wanted = {"CORE": 0, "NOFILE": OPEN_FILES, **limits}
    for name, value in wanted.items():
        kind = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))
