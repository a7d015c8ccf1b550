"""Shuts this process, and all it will start, out of what Landlock can refuse; then takes capabilities and system calls away.

By the kernel's own calls, since no program for it is installed anywhere. What an older kernel does not know is left out;
the worker that asked for it says so in the task's policy report.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct

TYPE_CHECKING = False  # checkers read it as true; importing typing for it would cost every shim 3 ms
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on all machines
_PATH_BENEATH, _NET_PORT, _VERSION = 1, 2, 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_MAKE_CHAR, _MAKE_BLOCK, _REFER, _TRUNCATE, _IOCTL = 1 << 6, 1 << 11, 1 << 13, 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL
_BIND_TCP, _CONNECT_TCP = 1, 2
_SCOPES = 3  # abstract unix sockets and signals
#: The version of the interface that brought them.
REFER_SINCE, TRUNCATE_SINCE, TCP_SINCE, IOCTL_SINCE, SCOPES_SINCE = 2, 3, 4, 5, 6

READ, WRITE, LIST, DEVICE = "read", "write", "list", "device"
_RIGHTS = {
    READ: _EXECUTE | _READ_FILE | _READ_DIR,
    WRITE: ((1 << 16) - 1) & ~(_MAKE_CHAR | _MAKE_BLOCK | _IOCTL),
    LIST: _READ_DIR,
    DEVICE: _READ_FILE | _WRITE_FILE | _IOCTL,
}
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _PR_CAPBSET_DROP, _FILTER = 38, 22, 24, 2
_CAPABILITIES_V3 = 0x20080522


def version() -> int:
    """The Landlock interface this kernel offers; 0 where it has none or it is switched off."""
    try:
        kernel = ctypes.CDLL(None).syscall
        found: int = kernel(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION))
    except (AttributeError, OSError):
        return 0
    return max(0, found)


def enter(rules: Iterable[tuple[str, str]], ports: Iterable[int] | None, seccomp: bytes) -> None:
    """Restrict this process for good. A rule is (path, what may be done at and below it); a path that is gone is left out.

    `ports` are the only TCP ports it may connect to, None leaves the network to `seccomp`. Raises OSError when the
    kernel refuses any of it; then nothing may be started.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    known = version()
    ruleset = _ruleset(libc, known, with_ports=ports is not None)
    for path, what in rules:
        _allow_path(libc, ruleset, path, _RIGHTS[what] & _handled(known))
    for port in ports or ():
        _check(
            libc.syscall(_ADD_RULE, ruleset, _NET_PORT, struct.pack("QQ", _CONNECT_TCP, port), 0),
            f"port {port}",
        )
    _check(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges")
    _drop_capabilities(libc)
    _check(libc.syscall(_RESTRICT_SELF, ruleset, 0), "Landlock")
    os.close(ruleset)
    _filter_calls(libc, seccomp)


def _handled(known: int) -> int:
    """Every access to files that this version can refuse."""
    later = ((REFER_SINCE, _REFER), (TRUNCATE_SINCE, _TRUNCATE), (IOCTL_SINCE, _IOCTL))
    return ((1 << 13) - 1) | sum(right for since, right in later if known >= since)


def _ruleset(libc: Any, known: int, *, with_ports: bool) -> int:
    if not known:
        raise OSError(0, "this kernel has no Landlock", "Landlock")
    tcp = _BIND_TCP | _CONNECT_TCP if with_ports and known >= TCP_SINCE else 0
    scopes = _SCOPES if known >= SCOPES_SINCE else 0
    attributes = struct.pack("QQQ", _handled(known), tcp, scopes)
    size = 8 if known < TCP_SINCE else 16 if known < SCOPES_SINCE else 24
    return _check(
        libc.syscall(_CREATE_RULESET, attributes[:size], ctypes.c_size_t(size), 0), "a Landlock ruleset"
    )


def _allow_path(libc: Any, ruleset: int, path: str, rights: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)  # it was no link when it was chosen
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        if not stat.S_ISDIR(os.fstat(handle).st_mode):
            rights &= _OF_FILES
        _check(libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", rights, handle), 0), path)
    finally:
        os.close(handle)


def _drop_capabilities(libc: Any) -> None:
    """What root may do beside others' files: none of it. An ordinary user has nothing to lose."""
    if os.geteuid() != 0:
        return
    for capability in range(64):
        if libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0):
            break
    _check(libc.capset(struct.pack("=Ii", _CAPABILITIES_V3, 0), bytes(24)), "capabilities")


def _filter_calls(libc: Any, program: bytes) -> None:
    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))

    given = Program(len(program) // 8, program)
    _check(libc.prctl(_PR_SET_SECCOMP, _FILTER, ctypes.byref(given), 0, 0), "the system call filter")


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
    return result


def enter_as_told(told: Mapping[str, Any], seccomp: bytes) -> None:
    """`enter` with what a launch says."""
    enter([(path, what) for path, what in told["rules"]], told["ports"], seccomp)
