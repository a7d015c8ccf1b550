"""One instance per data directory: a lock the kernel drops on any death, and a note of who holds it."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager

from shared.config import Config
from shared.errors import InstanceRunning
from shared.store.database import prepare_folder
from shared.store.migrate import private


@contextmanager
def hold(config: Config) -> Iterator[None]:
    """Hold the data directory's web lock while the block runs; raises InstanceRunning when it is taken."""
    prepare_folder(config.data)
    with open(config.data / "instance.lock", "a+", opener=private) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            where = running_at(config) or "another process"
            raise InstanceRunning(
                f"{config.data} is already served by {where}; stop it first, or choose another --data folder."
            ) from error
        yield


def publish(config: Config, url: str) -> None:
    """Note where this instance answers, for the command line."""
    target = config.data / "instance.json"
    draft = target.with_suffix(".tmp")
    with open(draft, "w", opener=private) as file:
        json.dump({"url": url, "pid": os.getpid()}, file)
    os.replace(draft, target)


def withdraw(config: Config) -> None:
    """Remove the note, if it is still ours."""
    note = _note(config)
    if note and note.get("pid") == os.getpid():
        (config.data / "instance.json").unlink(missing_ok=True)


def running_at(config: Config) -> str | None:
    """The URL of the instance that last published itself here."""
    note = _note(config)
    return str(note["url"]) if note and "url" in note else None


def is_live(config: Config) -> bool:
    """Whether the process that last published itself here still runs; what holds the lock without it is ending."""
    pid = (_note(config) or {}).get("pid")
    try:
        os.kill(int(str(pid)), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


def _note(config: Config) -> dict[str, object] | None:
    try:
        value = json.loads((config.data / "instance.json").read_text())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None
