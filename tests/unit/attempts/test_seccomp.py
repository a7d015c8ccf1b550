"""The system call filter, run in a small interpreter of its machine: what it refuses and what it lets by."""

from __future__ import annotations

import errno
import struct

import pytest

from shared.errors import SandboxFailed
from workers.attempts.sandbox import seccomp

ALLOW, KILL, FAIL = 0x7FFF0000, 0x80000000, 0x00050000
X86, ARM = 0xC000003E, 0xC00000B7


def run(program: bytes, arch: int, number: int, *arguments: int) -> int:
    data = struct.pack("=IIQ6Q", number, arch, 0, *arguments, *[0] * (6 - len(arguments)))
    code = list(struct.iter_unpack("=HBBI", program))
    value, at = 0, 0
    while True:
        operation, yes, no, operand = code[at]
        at += 1
        if operation == 0x20:
            value = struct.unpack_from("=I", data, operand)[0]
        elif operation == 0x06:
            return int(operand)
        else:
            holds = {0x15: value == operand, 0x35: value >= operand, 0x45: bool(value & operand)}[operation]
            at += yes if holds else no


@pytest.mark.parametrize(
    ("machine", "arch", "numbers"),
    [
        ("x86_64", X86, {"socket": 41, "ioctl": 16, "clone": 56, "unshare": 272, "ptrace": 101, "mount": 165, "read": 0}),
        ("aarch64", ARM, {"socket": 198, "ioctl": 29, "clone": 220, "unshare": 97, "ptrace": 117, "mount": 40, "read": 63}),
    ],
)  # fmt: skip
def test_what_is_refused_and_what_is_not(machine: str, arch: int, numbers: dict[str, int]) -> None:
    program = seccomp.program(machine)

    def says(name: str, *arguments: int) -> int:
        return run(program, arch, numbers[name], *arguments)

    assert says("read") == ALLOW
    assert {says("ptrace"), says("mount")} == {FAIL | errno.EPERM}
    assert says("clone", 0x01200011) == ALLOW
    assert says("clone", 0x10000011) == says("unshare", 0x10000000) == FAIL | errno.EPERM
    assert says("unshare", 0x20000) == ALLOW
    assert says("ioctl", 0, 0x5413) == ALLOW
    assert says("ioctl", 0, 0x5412) == says("ioctl", 0, 0x541C) == says("ioctl", 0, 0xF00000000 | 0x5412)
    assert says("ioctl", 0, 0x5412) == FAIL | errno.EPERM
    for family in (1, 2, 10, 16):
        assert says("socket", family) == ALLOW
    for family in (17, 38, 40, 0):
        assert says("socket", family) == FAIL | errno.EAFNOSUPPORT
    assert run(program, arch, 435) == FAIL | errno.ENOSYS
    assert run(program, arch, 425) == FAIL | errno.EPERM
    assert run(program, 0x40000003, 3) == KILL


def test_the_second_calling_convention_of_x86_64_is_refused() -> None:
    assert run(seccomp.program("x86_64"), X86, 0x40000000 | 41, 2) == KILL


def test_an_unknown_machine_has_no_filter() -> None:
    with pytest.raises(SandboxFailed, match="riscv64"):
        seccomp.program("riscv64")
