"""The system calls a contained agent is refused, as a classic BPF program for seccomp(2)."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Sequence

from shared.errors import SandboxFailed

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT = 0x40000000
_CLONE_NEWUSER = 0x10000000
_TERMINAL_INJECTION = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX: typing into the terminal one was started from
_FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK)

# Numbers from the kernel's tables. The second ones are of aarch64; from 424 on all architectures agree.
_NUMBERS: dict[str, tuple[int | None, int | None]] = {
    "ioctl": (16, 29),
    "socket": (41, 198),
    "clone": (56, 220),
    "unshare": (272, 97),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "open_by_handle_at": (304, 265),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "setns": (308, 268),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "uselib": (134, None),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "clone3": (435, 435),
    "mount_setattr": (442, 442),
}
_JUDGED = ("ioctl", "socket", "clone", "unshare", "clone3")

_LOAD, _EQUAL, _ANY_BIT, _AT_LEAST, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
_ALLOW, _KILL, _FAIL = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER_AT, _ARCHITECTURE_AT, _FIRST_AT, _SECOND_AT, _THIRD_AT = (
    0,
    4,
    16,
    24,
    32,
)  # in seccomp_data, low halves


def program(
    machine: str | None = None,
    *,
    families: Sequence[int] = _FAMILIES,
    transports: Sequence[int] | None = None,
) -> bytes:
    """The filter for a machine (this one by default). Raises SandboxFailed where its numbers are not known.

    Refused: other calling conventions, new user namespaces, mounts, tracing, kernel keys, bpf, io_uring (which
    goes around the check of `socket`), typing into a terminal, and every socket family but `families` (unix, IP and
    netlink): vsock, for one, is not separated by network namespaces. With `transports` a socket names one of these
    protocols or none, or Landlock's rules for TCP would be gone around by another that carries the same bytes.
    """
    machine = machine or os.uname().machine
    if machine not in _ARCHITECTURES:
        raise SandboxFailed(f"There is no system call filter for {machine} machines.")
    column = 0 if machine == "x86_64" else 1
    number = {name: numbers[column] for name, numbers in _NUMBERS.items()}
    code = [
        _instruction(_LOAD, _ARCHITECTURE_AT),
        _instruction(_EQUAL, _ARCHITECTURES[machine], yes=1),
        _instruction(_RETURN, _KILL),
        _instruction(_LOAD, _NUMBER_AT),
    ]
    if machine == "x86_64":
        code += [_instruction(_AT_LEAST, _X32_BIT, no=1), _instruction(_RETURN, _KILL)]
    for name, found in number.items():
        if found is not None and name not in _JUDGED:
            code += _when(found, [_fail(errno.EPERM)])
    code += _when(
        number["clone3"], [_fail(errno.ENOSYS)]
    )  # its flags are out of sight; libraries fall back to clone
    for name in ("clone", "unshare"):
        code += _when(number[name], _refuse_if(_FIRST_AT, _ANY_BIT, (_CLONE_NEWUSER,)))
    code += _when(number["ioctl"], _refuse_if(_SECOND_AT, _EQUAL, _TERMINAL_INJECTION))
    code += _when(number["socket"], _sockets(families, transports))
    code.append(_instruction(_RETURN, _ALLOW))
    return b"".join(code)


def _sockets(families: Sequence[int], transports: Sequence[int] | None) -> list[bytes]:
    judged = _only(_FIRST_AT, families, errno.EAFNOSUPPORT)
    if transports is None:
        return judged
    return [*judged[:-1], *_only(_THIRD_AT, (0, *transports), errno.EPROTONOSUPPORT)]


def _instruction(code: int, operand: int, *, yes: int = 0, no: int = 0) -> bytes:
    """One instruction; `yes` and `no` are how many of the next ones a test skips."""
    return struct.pack("=HBBI", code, yes, no, operand)


def _fail(number: int) -> bytes:
    return _instruction(_RETURN, _FAIL | number)


def _when(call: int | None, body: list[bytes]) -> list[bytes]:
    """Do `body`, which must return, for one system call."""
    return [_instruction(_EQUAL, call, no=len(body)), *body] if call is not None else []


def _refuse_if(at: int, test: int, values: tuple[int, ...]) -> list[bytes]:
    """Fail where the argument passes the test with one of `values`; else allow."""
    tests = [_instruction(test, value, yes=len(values) - index) for index, value in enumerate(values)]
    return [_instruction(_LOAD, at), *tests, _instruction(_RETURN, _ALLOW), _fail(errno.EPERM)]


def _only(at: int, values: Sequence[int], number: int) -> list[bytes]:
    """Allow where the argument is one of `values`; else fail with `number`."""
    tests = [_instruction(_EQUAL, value, yes=len(values) - index) for index, value in enumerate(values)]
    return [_instruction(_LOAD, at), *tests, _fail(number), _instruction(_RETURN, _ALLOW)]
