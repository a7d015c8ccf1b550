"""Which transcripts a store has: links are followed, but no folder and no file is seen twice."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from workers.sessions.lines import Interrupted

DEEPEST = 12
#: Beyond this many transcripts of one runner the rest is not listed.
MOST_FILES = 100_000


@dataclass(frozen=True)
class File:
    """`mark` changes with every change of the file: which file it is, its size and time."""

    path: str
    size: int
    modified_nanos: int
    mark: str


def transcripts(home: str, folders: tuple[str, ...], stopping: Callable[[], bool]) -> Iterator[File]:
    """Every `*.jsonl` below these folders of `home`; what cannot be read is left out. Raises Interrupted."""
    seen: set[tuple[int, int]] = set()
    waiting = [(os.path.join(home, name), 0) for name in reversed(folders)]
    count = 0
    while waiting and count < MOST_FILES:
        if stopping():
            raise Interrupted
        folder, depth = waiting.pop()
        for entry in _entries(folder, seen):
            about = _stat(entry)
            if about is None:
                continue
            if stat.S_ISDIR(about.st_mode) and depth < DEEPEST:
                waiting.append((entry.path, depth + 1))
            elif stat.S_ISREG(about.st_mode) and entry.name.endswith(".jsonl") and _is_new(about, seen):
                count += 1
                yield File(entry.path, about.st_size, about.st_mtime_ns, _mark(about))


def _entries(folder: str, seen: set[tuple[int, int]]) -> list[os.DirEntry[str]]:
    """By name: the real place of a file comes before a link to it often enough, and every look agrees."""
    try:
        if not _is_new(os.stat(folder), seen):
            return []
        with os.scandir(folder) as entries:
            return sorted((entry for entry in entries if _storable(entry.path)), key=lambda entry: entry.name)
    except OSError:
        return []


def _stat(entry: os.DirEntry[str]) -> os.stat_result | None:
    try:
        return entry.stat()
    except OSError:
        return None


def _is_new(about: os.stat_result, seen: set[tuple[int, int]]) -> bool:
    identity = (about.st_dev, about.st_ino)
    if identity in seen:
        return False
    seen.add(identity)
    return True


def _storable(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _mark(about: os.stat_result) -> str:
    return f"{about.st_dev}:{about.st_ino}:{about.st_size}:{about.st_mtime_ns}"
