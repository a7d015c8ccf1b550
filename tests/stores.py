"""A fresh store for every test: migrated once per process, and copied."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from shared.config import Config, from_env
from shared.store.database import close, open_store, prepare_folder, raw


def fresh(config: Config) -> None:
    """Open a new store for this thread, the same that `open_store` makes; a power cut is not what the test is about."""
    prepare_folder(config.data)
    config.database.touch(mode=0o600)
    config.database.write_bytes(_migrated())
    open_store(config)
    raw().execute("PRAGMA synchronous = off")


@functools.cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        config = from_env({}, data=Path(folder, "data"))
        open_store(config)
        close()
        return config.database.read_bytes()
