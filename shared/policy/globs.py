"""Globs for paths, by whole segments: `*` and `?` stay in one, `**` is any number of them."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from fnmatch import fnmatchcase


def matches(path: str, pattern: str) -> bool:
    """Whether a glob means this path; both are read as they stand, segment by segment."""
    return segments_match(path.split("/"), pattern.split("/"))


def segments_match(path: list[str], pattern: list[str]) -> bool:
    """The same for split ones; the last `**` seen may always take one more segment."""
    at = place = 0
    star, resumed = -1, 0
    while at < len(path):
        if place < len(pattern) and pattern[place] == "**":
            star, resumed = place, at
            place += 1
        elif place < len(pattern) and fnmatchcase(path[at], pattern[place]):
            at, place = at + 1, place + 1
        elif star >= 0:
            resumed += 1
            at, place = resumed, star + 1
        else:
            return False
    return all(segment == "**" for segment in pattern[place:])


def allows(patterns: Iterable[str], path: str, folder: str = ".") -> bool:
    """Whether one of a policy's `allowed_file_globs` means this file; `path` starts at the repository's root.

    A pattern starts at `folder`, the workspace's place in the repository; with `/` in front at the root. One without
    any `/` means the name in every folder there; with `/` at the end it means everything below.
    """
    return any(matches(path, _whole(pattern, folder)) for pattern in patterns)


def _whole(pattern: str, folder: str) -> str:
    below = pattern + "**" if pattern.endswith("/") else pattern
    if below.startswith("/"):
        return posixpath.normpath(below.lstrip("/"))
    inside = below if "/" in below else f"**/{below}"
    #: The folder's own name may hold what would be a mark in a glob.
    literal = "".join(f"[{mark}]" if mark in "*?[" else mark for mark in folder)
    return posixpath.normpath(posixpath.join(literal, inside))
