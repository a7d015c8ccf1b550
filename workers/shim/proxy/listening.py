"""Makes listening sockets inside a sandbox's network, from outside, without a process of ours staying in there."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
from contextlib import suppress

BACKLOG = 128
MAX_SOCKETS = 200
_NS_GET_USERNS = 0xB701  # ioctl_ns(2): the user namespace that owns this one
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_IP_FREEBIND = 15  # so that nothing has to wait for the sandbox's loopback to be up
_OWN_NETWORK = "/proc/self/ns/net"


class NoListener(OSError):
    """The sandbox's network could not be entered; the message says what the system answered."""


def inside(pid: int, ports: list[int], network: int | None = None) -> list[tuple[int, socket.socket]]:
    """(port, listening socket) on the loopback addresses of the network `pid` is in, for each port there.

    `network` is the inode bubblewrap reported, so that no successor of the pid is entered. To be called while this
    process has one thread: a child of it goes in, and hands the sockets back. Raises NoListener.
    """
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        _enter_and_listen(theirs, pid, ports, network)
    theirs.close()
    with ours:
        said, descriptors, _, _ = socket.recv_fds(ours, 4096, MAX_SOCKETS)
    os.waitpid(child, 0)
    found = [socket.socket(fileno=descriptor) for descriptor in descriptors]
    if not said.startswith(b"ok"):
        raise NoListener(said.decode(errors="replace") or "the process that went in ended")
    return [(listener.getsockname()[1], listener) for listener in found]


def _enter_and_listen(report: socket.socket, pid: int, ports: list[int], network: int | None) -> None:
    """The child's side. It never returns."""
    try:
        _enter(pid, network)
        listeners = [listener for port in ports for listener in _listeners(port)]
        socket.send_fds(report, [b"ok"], [listener.fileno() for listener in listeners])
    except BaseException as error:  # noqa: BLE001 - whatever it is, the parent must hear of it
        with suppress(OSError):
            report.send(str(error).encode()[:1000])
    finally:
        os._exit(0)


def _enter(pid: int, network: int | None) -> None:
    target = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    inode = os.fstat(target).st_ino
    if inode == os.stat(_OWN_NETWORK).st_ino or network not in (None, inode):
        raise OSError("the sandbox has no network of its own")
    if os.geteuid() != 0:  # whose creator may enter it; root may enter any
        _setns(fcntl.ioctl(target, _NS_GET_USERNS), _CLONE_NEWUSER)
    _setns(target, _CLONE_NEWNET)


def _setns(namespace: int, kind: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(namespace, kind):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _listeners(port: int) -> list[socket.socket]:
    found = [_listener(socket.AF_INET, "127.0.0.1", port)]
    with suppress(OSError):  # a machine may have no version 6
        found.append(_listener(socket.AF_INET6, "::1", port))
    return found


def _listener(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
    made.bind((host, port))
    made.listen(BACKLOG)
    return made
