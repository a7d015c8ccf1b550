"""Locks on refs that a git of ours left when it was killed, told from those of the user's own git.

Git makes such a lock when it moves a branch, and knows none from a process that is gone: as long as it lies there, nobody
can commit on the branch.
"""

from __future__ import annotations

import time
from pathlib import Path

from workers import beneath

#: A git that still works on a ref is through with it long before.
PATIENCE_SECONDS = 1.0
MAX_LOCK_BYTES = 4096

#: Which file it is, since when (nanoseconds), and what it holds.
Seen = tuple[int, int, bytes]


def release(git_dir: Path, common_dir: Path, branch: str, tip: str, marker: Path) -> None:
    """Remove what a killed landing left locked: the branch, and HEAD in the checkout `git_dir`.

    Ours is a lock that holds `tip`, a commit that only this landing makes; and one that holds nothing and came after
    `marker`, by which we have kept the user's git away from the checkout since. Each must lie there unchanged.
    """
    places = (common_dir / "refs/heads" / f"{branch}.lock", git_dir / "HEAD.lock")
    _remove_unchanged(
        {place: seen for place in places if (seen := _seen(place)) and _is_ours(seen, tip, marker)}
    )


def release_stale(place: Path) -> None:
    """Remove a lock on a ref that nobody but us writes, if it lies there unchanged for a while."""
    if (seen := _seen(place)) is not None:
        _remove_unchanged({place: seen})


def _remove_unchanged(found: dict[Path, Seen]) -> None:
    if not found:
        return
    time.sleep(PATIENCE_SECONDS)
    for place, seen in found.items():
        if _seen(place) == seen:
            place.unlink(missing_ok=True)


def _is_ours(seen: Seen, tip: str, marker: Path) -> bool:
    _, made_at, content = seen
    if content:
        return content.strip() == tip.encode()
    try:
        return made_at >= marker.lstat().st_mtime_ns
    except OSError:
        return False


def _seen(place: Path) -> Seen | None:
    try:
        found = place.lstat()
        return found.st_ino, found.st_mtime_ns, beneath.read_regular(place, MAX_LOCK_BYTES)
    except OSError:
        return None
