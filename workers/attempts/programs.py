"""Where a runner's program is: on PATH, and behind a launcher that would outlive it."""

from __future__ import annotations

import os
import shutil
from glob import glob
from pathlib import Path

from workers.runners import Runner


def find(runner: Runner, path: str | None) -> str | None:
    """The first of the runner's programs on `path`, or the native one that belongs to it; None when there is none.

    A runner's optional `natives` are patterns from the folder of the program's file, its links followed.
    """
    found = next((program for name in runner.programs if (program := shutil.which(name, path=path))), None)
    if found is None:
        return None
    folder = Path(found).resolve().parent
    natives = [native for pattern in getattr(runner, "natives", ()) for native in glob(str(folder / pattern))]
    return os.path.normpath(natives[0]) if natives else found
