"""One file with everything that cannot be made again: the store, and the git directories its captures live in.

A backup is a tar archive: `manifest.json`, `store.sqlite3`, `repositories/…`. Not in it: the token, the messages
of the broker (they may be lost), worktrees and logs of attempts (a start brings a worktree back to its last capture).
"""

from __future__ import annotations

import io
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from shared import audit, tasks
from shared.audit import Act, Actor, chain
from shared.clock import now
from shared.config import Config
from shared.errors import BackupUnusable
from shared.store import close, migrate, open_store
from shared.store.migrate import APPLICATION_ID, private
from shared.version import VERSION

FORMAT = 1
MANIFEST, STORE, REPOSITORIES = "manifest.json", "store.sqlite3", "repositories"
LOCKS = ".locks"
MANIFEST_BYTES = 64 << 10


@dataclass(frozen=True)
class Manifest:
    """What a backup says of itself; `schema` is the store's version, `created_at` ISO 8601 in UTC."""

    format: int
    version: str
    schema: int
    created_at: str


def write(config: Config, target: Path) -> Manifest:
    """Write a consistent copy, also while web and workers write; `target` appears whole or not at all.

    The store is copied first: every capture it names had its objects by then. Compressed where the name ends in
    `.gz` or `.tgz`. Raises BackupUnusable where there is no store, or `target` cannot be written.
    """
    if not config.database.is_file():
        raise BackupUnusable(f"There is no store at {config.database}; nothing to back up.")
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with tempfile.TemporaryDirectory(prefix="openruntime-backup-", dir=config.data) as folder:
            copy = Path(folder, STORE)
            schema = _copy_store(config.database, copy)
            manifest = Manifest(FORMAT, VERSION, schema, now().isoformat())
            with (
                open(draft, "wb", opener=private) as file,
                tarfile.open(fileobj=file, mode=mode_of(target)) as archive,
            ):
                _add_text(archive, MANIFEST, json.dumps(asdict(manifest)))
                archive.add(copy, STORE)
                _add_repositories(archive, config.repositories)
            with open(draft, "rb") as whole:
                os.fsync(whole.fileno())
            os.replace(draft, target)
    except (OSError, sqlite3.Error) as error:
        raise BackupUnusable(f"The backup could not be written to {target}: {error}.") from error
    finally:
        draft.unlink(missing_ok=True)
    return manifest


def mode_of(archive: Path) -> Literal["w", "w:gz"]:
    """How an archive of this name is written: compressed where it ends in `.gz` or `.tgz`."""
    return "w:gz" if archive.suffix in (".gz", ".tgz") else "w"


def restore(config: Config, source: Path) -> tuple[Manifest, Path]:
    """Put a backup's content in place of the present one; returns its manifest and the folder that keeps the latter.

    The caller holds the instance and knows that nothing of it runs. Nothing that was queued in the backup starts by
    itself here. Raises BackupUnusable, and changes nothing, for a file that is not a whole backup of ours.
    """
    config.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="openruntime-restore-", dir=config.data) as folder:
        unpacked = Path(folder)
        manifest = _unpack(source, unpacked)
        _require_store(unpacked / STORE, source)
        kept = _next_free(config.data / f"before-restore-{now():%Y%m%dT%H%M%S}")
        kept.mkdir(mode=0o700)
        _set_aside(config, kept)
        if (unpacked / REPOSITORIES).is_dir():
            os.replace(unpacked / REPOSITORIES, config.repositories)
        config.database.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(unpacked / STORE, config.database)
    open_store(config)
    audit.keep_heads(config.data)
    audit.record(Act.RESTORE, "store", actor=Actor.TERMINAL, backup_of=manifest.created_at, kept=str(kept))
    tasks.interrupt_all()
    close()
    return manifest, kept


def _copy_store(source: Path, target: Path) -> int:
    target.touch(mode=0o600)
    with closing(sqlite3.connect(source, timeout=30)) as store, closing(sqlite3.connect(target)) as copy:
        store.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
        return int(copy.execute("PRAGMA user_version").fetchone()[0])


def _add_text(archive: tarfile.TarFile, name: str, text: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(text.encode()), 0o600
    archive.addfile(entry, io.BytesIO(text.encode()))


def _add_repositories(archive: tarfile.TarFile, folder: Path) -> None:
    """Files that go while they are read (a repack, a cleanup) are left out; their objects stand elsewhere by then."""
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name != LOCKS]
        inside = Path(REPOSITORIES, Path(parent).relative_to(folder))
        for name in (*files, *folders):
            with suppress(FileNotFoundError):
                archive.add(Path(parent, name), str(inside / name), recursive=False)


def _unpack(source: Path, target: Path) -> Manifest:
    try:
        with tarfile.open(source) as archive:
            manifest = _manifest(archive, source)
            for member in archive:
                if member.name.split("/")[0] in (STORE, REPOSITORIES) and (member.isreg() or member.isdir()):
                    archive.extract(member, target, filter="data")
            return manifest
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise BackupUnusable(f"{source} is not a whole backup of openRuntime: {error}.") from error


def _manifest(archive: tarfile.TarFile, source: Path) -> Manifest:
    first = archive.next()
    text = archive.extractfile(first) if first is not None and first.name == MANIFEST else None
    if text is None:
        raise BackupUnusable(f"{source} is not a backup of openRuntime.")
    try:
        manifest = Manifest(**json.loads(text.read(MANIFEST_BYTES)))
    except (TypeError, ValueError):
        raise BackupUnusable(f"{source} has an unreadable manifest.") from None
    if manifest.format > FORMAT or manifest.schema > migrate.newest():
        raise BackupUnusable(
            f"{source} was made by openRuntime {manifest.version}; upgrade this program first."
        )
    return manifest


def _require_store(path: Path, source: Path) -> None:
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as store:
            (owner,) = store.execute("PRAGMA application_id").fetchone()
            (damage,) = store.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        raise BackupUnusable(f"The store in {source} cannot be read: {error}.") from error
    if owner != APPLICATION_ID or damage != "ok":
        raise BackupUnusable(f"The store in {source} is damaged: {damage}.")


def _set_aside(config: Config, kept: Path) -> None:
    """Move what is there now; the write-ahead log goes with its store, which it belongs to, as do the audit's heads."""
    for path in (
        config.database,
        *(config.database.with_name(config.database.name + end) for end in ("-wal", "-shm")),
    ):
        if path.exists():
            shutil.move(path, kept / path.name)
    for path in (config.repositories, config.broker_file, chain.heads_file(config.data)):
        if path.exists():
            shutil.move(path, kept / path.name)


def _next_free(path: Path) -> Path:
    return next(found for found in _numbered(path) if not found.exists())


def _numbered(path: Path) -> Iterator[Path]:
    yield path
    number = 2
    while True:
        yield path.with_name(f"{path.name}-{number}")
        number += 1
