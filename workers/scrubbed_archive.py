"""Takes a value out of a backup archive: the store in it is masked, everything else is copied as it is."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

from shared.backups import STORE, mode_of
from shared.errors import BackupUnusable
from shared.store.migrate import private


def rewrite(path: Path, mask: Callable[[Path], bool]) -> None:
    """Replace the archive at once by one whose store `mask` has changed in place; it says whether it did.

    Raises BackupUnusable, and changes nothing, for what is no backup or cannot be written.
    """
    try:
        with tempfile.TemporaryDirectory(prefix=".openruntime-scrub-", dir=path.parent) as folder:
            store, draft = Path(folder, STORE), Path(folder, "archive")
            with tarfile.open(path) as archive:
                _extract(archive, store)
            if mask(store):
                _write(path, store, draft)
                os.replace(draft, path)
    except (tarfile.TarError, EOFError, OSError, KeyError) as error:
        raise BackupUnusable(f"{path} cannot be scrubbed: {error}.") from error


def _extract(archive: tarfile.TarFile, target: Path) -> None:
    inside = archive.extractfile(STORE)
    if inside is None:
        raise KeyError(f"{STORE} is no file in it")
    with inside, open(target, "wb", opener=private) as file:
        shutil.copyfileobj(inside, file)


def _write(path: Path, store: Path, draft: Path) -> None:
    with (
        tarfile.open(path) as archive,
        open(draft, "wb", opener=private) as file,
        tarfile.open(fileobj=file, mode=mode_of(path)) as made,
    ):
        for member in archive:
            if member.name == STORE:
                made.add(store, STORE)
            else:
                made.addfile(member, archive.extractfile(member) if member.isreg() else None)
    with open(draft, "rb") as whole:
        os.fsync(whole.fileno())
