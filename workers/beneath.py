"""The one way a file that an agent may have written is read: below a folder, no link followed, regular, never waiting.

Inside its sandbox an agent may point a link at what it cannot see there; whoever follows it outside would read that for
it. A pipe would make the reader wait for ever. Links are refused by the kernel in one call (openat2, Linux 5.6), so
that nothing can be swapped between a look and the opening; elsewhere each folder on the way is opened by itself.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import stat
import struct
from pathlib import Path
from typing import IO

READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
WRITE = READ | os.O_RDWR
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
OPENAT2 = 437  # the same number on every architecture
#: RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, RESOLVE_NO_MAGICLINKS (linux/openat2.h)
RESOLVE = 0x08 | 0x04 | 0x02
#: What a kernel before 5.6 says, or a container that does not know the call.
UNKNOWN = (errno.ENOSYS, errno.EPERM)

_libc = ctypes.CDLL(None, use_errno=True)

Name = str | bytes | Path


def open_file(root: Name, relative: Name, *, flags: int = READ) -> int:
    """A descriptor to read the regular file `relative` below the folder `root`, or with WRITE to change it.

    Raises OSError for anything else: a link anywhere on the way, a way out of the folder, a pipe, a device, a folder.
    """
    folder = os.open(root, FOLDER | os.O_NOFOLLOW)
    try:
        return regular(_open_at(folder, os.fsencode(relative), flags))
    finally:
        os.close(folder)


def read(root: Name, relative: Name, max_bytes: int) -> bytes:
    """The whole content of a file, as `open_file` finds it; raises OSError for one that is larger than `max_bytes`."""
    return _content(open_file(root, relative), max_bytes)


def read_link(root: Name, relative: Name) -> bytes:
    """The text of the link `relative` below `root`, reached through real folders only; raises OSError."""
    above, name = os.path.split(os.fsencode(relative))
    folder = os.open(root, FOLDER | os.O_NOFOLLOW)
    try:
        if above:
            folder, outer = _open_at(folder, above, FOLDER), folder
            os.close(outer)
        return os.readlink(name, dir_fd=folder)
    finally:
        os.close(folder)


def copy(root: Name, relative: Name, target: Path) -> Path:
    """Copy the file `relative` below `root`, with its mode and times, to `target`, which must not be there yet.

    Raises OSError as `open_file` does, and FileExistsError: a link somebody put at `target` is not written through.
    """
    with os.fdopen(open_file(root, relative), "rb") as source, target.open("xb") as made:
        about = os.fstat(source.fileno())
        shutil.copyfileobj(source, made)
        made.flush()
        os.fchmod(made.fileno(), stat.S_IMODE(about.st_mode))
        os.utime(made.fileno(), ns=(about.st_atime_ns, about.st_mtime_ns))
    return target


def open_regular(path: Name) -> int:
    """A descriptor to read what a person may have put there as a link; raises OSError for what is no regular file."""
    return regular(os.open(path, READ))


def read_regular(path: Name, max_bytes: int) -> bytes:
    """The content of a file that may be a link of a person's; raises OSError as `read` does."""
    return _content(open_regular(path), max_bytes)


def regular(descriptor: int) -> int:
    """The descriptor itself; closes it and raises OSError when it is no regular file."""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file")
    return descriptor


def _content(descriptor: int, max_bytes: int) -> bytes:
    with os.fdopen(descriptor, "rb") as opened:
        if os.fstat(opened.fileno()).st_size > max_bytes:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        return _bounded(opened, max_bytes)


def _bounded(opened: IO[bytes], max_bytes: int) -> bytes:
    """It may grow while it is read."""
    found = opened.read(max_bytes + 1)
    if len(found) > max_bytes:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    return found


def _open_at(folder: int, relative: bytes, flags: int = READ) -> int:
    how = struct.pack("QQQ", flags, 0, RESOLVE)
    found = int(_libc.syscall(OPENAT2, folder, relative, how, ctypes.c_size_t(len(how))))
    if found >= 0:
        return found
    number = ctypes.get_errno()
    if number in UNKNOWN:
        return _walk(folder, relative, flags)
    raise OSError(number, os.strerror(number), os.fsdecode(relative))


def _walk(folder: int, relative: bytes, flags: int) -> int:
    """The same for kernels that cannot: one folder after the other, none of them a link."""
    *above, name = relative.split(b"/")
    if name in (b"", b".", b"..") or b".." in above or relative.startswith(b"/"):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), os.fsdecode(relative))
    here = os.dup(folder)
    try:
        for part in above:
            inner = os.open(part or b".", FOLDER | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = inner
        return os.open(name, flags | os.O_NOFOLLOW, dir_fd=here)
    finally:
        os.close(here)
