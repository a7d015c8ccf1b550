"""Reading the changed files of a tree in which an agent works: copied first, so that git never opens what may be swapped."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from shared.errors import GitFailed
from workers import beneath
from workers.repository import time_limit


@contextmanager
def copied(work_tree: Path, paths: Sequence[bytes], beside: Path) -> Iterator[tuple[Path, list[bytes]]]:
    """A private folder with these files and links of the tree under their own names, and those it holds.

    What is no file and no link any more, or vanished, is left out: the next look finds what it has become.
    """
    folder = Path(tempfile.mkdtemp(dir=beside, prefix="live-"))
    try:
        yield folder, [path for path in paths if _copy(work_tree, path, folder)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copy(work_tree: Path, path: bytes, folder: Path) -> bool:
    if time_limit.is_over():
        raise GitFailed(["copy"], None, "not copied in time")
    target = Path(os.fsdecode(os.path.join(os.fsencode(folder), path)))
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        if stat.S_ISLNK(os.lstat(os.path.join(os.fsencode(work_tree), path)).st_mode):
            os.symlink(beneath.read_link(work_tree, path), os.fsencode(target))
        else:
            beneath.copy(work_tree, path, target)
    except OSError:
        return False
    return True
