"""Globs for paths, by whole segments: `*` and `?` stay in one, `**` is any number of them."""

from __future__ import annotations

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
