"""Keeps the inventory of agents' sessions: looks through their stores at start, and when somebody asks.

Only what is new in a file is read. One worker of a host does it at a time: a lock it takes with the file system.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from broker.wakeup import Wakeup
from shared.agents import sessions
from shared.clock import EPOCH, from_micros, now
from shared.config import Config
from shared.secrets import kept as kept_secrets
from workers.rounds import Rounds
from workers.runners import streams
from workers.sessions import claude, codex, files, lines
from workers.sessions.files import File
from workers.sessions.found import Found
from workers.sessions.transcript import Transcript

STORES: tuple[ModuleType, ...] = (codex, claude)
#: Between two looks at least this, and so many times as long as the look took: a huge store costs a tenth of a core.
REST_SECONDS = 1.0
REST_FACTOR = 10
#: Kept at once: each commit waits for the disk.
ROWS = 200


class Inventory(Rounds):
    """Looks on its own thread; `look` may be called by itself."""

    def __init__(self, config: Config, orders: Wakeup) -> None:
        super().__init__("inventory", orders)
        self._config = config
        self._settled = False
        self._lock: int | None = None

    def begin(self) -> None:
        if self._has_turn():
            self.look()

    def round(self) -> None:
        """Look when somebody asked, or nobody ever did; then rest."""
        if not sessions.all_looked_at() and self._has_turn():
            began = time.monotonic()
            self.look()
            took = time.monotonic() - began
            self.closing.wait(max(REST_SECONDS, took * REST_FACTOR))

    def end(self) -> None:
        if self._lock is not None:
            os.close(self._lock)

    def look(self) -> None:
        """Look through every store once; what is interrupted is taken up by the next look."""
        settled, self._settled = self._settled, False
        kept_secrets.values()  # as they are now, for every text of this look
        look_through(self._config.environment, self.closing.is_set, self._config.homes, settled=settled)
        self._settled = True

    def _has_turn(self) -> bool:
        """Whether this worker is the one that looks; the lock goes with its holder's life."""
        if self._lock is None:
            lock = os.open(self._config.data / "inventory.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(lock)
                return False
            self._lock = lock
        return True


def look_through(
    environment: Mapping[str, str],
    stopping: Callable[[], bool],
    homes: Path | None = None,
    *,
    settled: bool = False,
) -> None:
    """Read what is new in every store, and note it for all of them at once. Raises Interrupted.

    Below `homes` lie those of tasks that have one of their own, by task and runner. `settled`: the look before came to
    its end, so that where nothing is new nothing needs choosing again.
    """
    began_at = now()
    looks = [Look(store, environment, stopping, homes) for store in STORES]
    changed = [look.run() for look in looks]
    if any(changed) or not settled:
        sessions.choose()
    sessions.looked_through({look.runner: look.home for look in looks}, began_at)


class Look:
    """One look through one store."""

    def __init__(
        self, store: Any, environment: Mapping[str, str], stopping: Callable[[], bool], homes: Path | None
    ) -> None:
        self._store = store
        self.runner: str = store.RUNNER
        self._private = sorted(homes.glob(f"*/{self.runner}")) if homes else []
        self.home: str | None = store.home(dict(environment))
        self._stopping = stopping
        self._index: dict[str, Found] = {}
        self._rows: list[dict[str, Any]] = []
        self._changed = False

    def run(self) -> bool:
        """Keep what is new; whether there was anything."""
        known = sessions.known(self.runner)
        if self.home is not None:
            self._index = self._store.index(self.home, self._stopping)
        for home in ([self.home] if self.home else []) + [str(path) for path in self._private]:
            for file in files.transcripts(home, self._store.FOLDERS, self._stopping):
                self._take(file, known.pop(file.path, None))
        self._take_index(known)
        self._flush()
        sessions.drop(known)
        return self._changed or bool(known)

    def _take(self, file: File, mark: str | None) -> None:
        if self._stopping():
            raise lines.Interrupted
        wanted = f"{file.mark}:{self._named(file)}"
        if wanted == mark:
            return
        kept = sessions.reader_of(file.path) if mark is not None else None
        with suppress(OSError):
            self._read(file, wanted, kept)

    def _named(self, file: File) -> str:
        """What the index says about the file's session is part of the mark: a new name is a change."""
        id = codex.FILE_ID.search(file.path.removesuffix(".jsonl"))
        entry = self._index.get(id.group()) if id else None
        return f"{entry.title}:{entry.updated_at}" if entry else ""

    def _read(self, file: File, mark: str, kept: Any) -> None:
        place, seen = _resumed(file, kept)

        def take(line: dict[str, Any]) -> None:
            streams.understood(lambda one: self._store.fold(seen, one, file.path), line)

        if not (kept and kept.get("mark") == file.mark):
            place = lines.read(file.path, place, take, self._stopping)
        self._store.beside(file.path, seen)
        seen.settle()
        found = self._store.result(seen, file.path, self._index)
        reader = {"offset": place.offset, "check": place.check, "mark": file.mark, "seen": seen.to_json()}
        self._add(_row(self.runner, file, found, seen, mark, reader))

    def _take_index(self, known: dict[str, str]) -> None:
        """Entries of the index are rows, too; where a transcript tells of the same session it is shown instead."""
        for id, entry in self._index.items():
            path = f"index:{self.home}:{id}"
            mark = f"{entry.title}:{entry.updated_at}"
            if known.pop(path, None) != mark:
                self._add(
                    {
                        "path": path,
                        "runner": self.runner,
                        "key": entry.key,
                        "session_id": entry.session_id,
                        "source": entry.source,
                        "title": entry.title,
                        "updated_at": entry.updated_at or EPOCH,
                        "mark": mark,
                    }
                )

    def _add(self, row: dict[str, Any]) -> None:
        self._rows.append(row)
        if len(self._rows) >= ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            sessions.keep(self._rows)
            self._rows, self._changed = [], True


def _resumed(file: File, kept: Any) -> tuple[lines.Place, Transcript]:
    """Where to read on; from the beginning when the file is not what it was."""
    if isinstance(kept, dict):
        place = lines.Place(int(kept["offset"]), int(kept["check"]))
        grown = file.size > place.offset and lines.goes_on(file.path, place)
        if grown or kept.get("mark") == file.mark:
            return place, Transcript.from_json(kept["seen"])
    return lines.Place(), Transcript()


def _row(
    runner: str, file: File, found: Found | None, seen: Transcript, mark: str, reader: dict[str, Any]
) -> dict[str, Any]:
    """A file that tells of no session keeps a row that is never shown, so that it is not read again."""
    modified = from_micros(file.modified_nanos // 1000)
    updated = [at for at in (seen.updated, found.updated_at if found else None) if at is not None]
    return {
        "path": file.path,
        "runner": runner,
        "key": found.key if found else "",
        "session_id": found.session_id if found else "",
        "parent_id": found.parent_id if found else None,
        "source": found.source if found else "",
        "title": found.title if found else None,
        "workspace": seen.workspace,
        "message_count": found.message_count if found else 0,
        "last_message": seen.last_message,
        "created_at": seen.created,
        "updated_at": max(updated, default=modified),
        "mark": mark,
        "reader": reader,
    }
