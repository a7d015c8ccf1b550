"""Pages of a transcript: what its lines say, from a place on or up to one, in bounded time and memory."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from shared.clock import rfc3339
from shared.events import Category, Draft, Kind
from shared.secrets import masking
from workers.attempts.narration import Narrator
from workers.attempts.reading import pieces_of
from workers.runners import streams
from workers.runners.observations import Observation, Replied
from workers.sessions import lines, text

#: Of a file this much is looked through for one page; of its end a little, then more than the longest line that is read.
SCAN_BYTES = 32 * 1024 * 1024
END_BYTES = (1024 * 1024, 8 * 1024 * 1024)
#: A page is full once it has this many characters.
PAGE_CHARACTERS = 512 * 1024


class Place(NamedTuple):
    """An entry of a transcript: where its line begins, and which it is of those that the line makes."""

    offset: int
    entry: int = 0

    def __str__(self) -> str:
        return f"{self.offset}.{self.entry}"

    @classmethod
    def of(cls, word: str) -> Place:
        """The place a word stands for; raises ValueError."""
        offset, _, entry = word.partition(".")
        return cls(int(offset), int(entry or 0))


class Entry(NamedTuple):
    place: Place
    at: str | None
    draft: Draft

    @property
    def size(self) -> int:
        return len(self.draft.message) + len(str((self.draft.metadata or {}).get("input", "")))

    def to_json(self) -> dict[str, Any]:
        return {
            "place": str(self.place),
            "kind": self.draft.kind,
            "message": self.draft.message,
            "metadata": self.draft.metadata,
            "created_at": self.at,
        }


@dataclass(frozen=True)
class Page:
    """`following` is where the next page begins, `before` where the one before this ends; None where there is none."""

    entries: list[Entry]
    following: Place | None
    before: Place | None
    size_bytes: int

    def to_json(self) -> dict[str, Any]:
        return {
            "entries": [entry.to_json() for entry in self.entries],
            "next": str(self.following) if self.following else None,
            "previous": str(self.before) if self.before else None,
            "size_bytes": self.size_bytes,
        }


class Book:
    """One transcript: `file` is its descriptor, `store` says what a line of it means, `mask` takes secrets out of a text."""

    def __init__(
        self, file: int, path: str, store: Any, mask: Callable[[str], str], stopping: Callable[[], bool]
    ) -> None:
        self._file, self._path, self._store = file, path, store
        self._mask, self._stopping = mask, stopping
        self._narrator = Narrator("", store.RUNNER)
        self._size = os.fstat(file).st_size

    def page_from(self, start: Place, limit: int) -> Page:
        """The first `limit` entries from `start` on, or as many as fit."""
        until = start.offset + SCAN_BYTES
        found: list[Entry] = []
        characters, read = 0, start.offset
        for entries, end in self._lines(start.offset, until, tail=True):
            for entry in entries:
                if entry.place < start:
                    continue
                characters += entry.size
                if found and (len(found) == limit or characters > PAGE_CHARACTERS):
                    return Page(found, entry.place, _unless_first(start), self._size)
                found.append(entry)
            read = end
        #: A line longer than a look goes on in its middle: there its rest is passed over.
        following = None if until >= self._size else Place(read if read > start.offset else until)
        return Page(found, following, _unless_first(start), self._size)

    def page_before(self, end: Place | None, limit: int) -> Page:
        """The last `limit` entries before `end`, or of the file, or as many as fit."""
        stop = end or Place(self._size)
        few, many = (max(0, stop.offset - size) for size in END_BYTES)
        page = self._last(few, stop, limit)
        if few and len(page.entries) < limit:
            page = self._last(many, stop, limit)
        return dataclasses.replace(page, following=end)

    def _last(self, start: int, stop: Place, limit: int) -> Page:
        """The last `limit` entries before `stop` of those from `start` on."""
        until = stop.offset + (SCAN_BYTES if stop.entry else 0)
        found: list[Entry] = []
        characters, dropped = 0, False
        for entries, _ in self._lines(start, until, tail=False):
            for entry in entries:
                if entry.place >= stop:
                    break
                found.append(entry)
                characters += entry.size
                while len(found) > limit or (characters > PAGE_CHARACTERS and len(found) > 1):
                    characters -= found.pop(0).size
                    dropped = True
        first = found[0].place if found else Place(start)
        return Page(found, None, first if start or dropped else None, self._size)

    def _lines(self, start: int, until: int, *, tail: bool) -> Iterator[tuple[list[Entry], int]]:
        """(entries, where the line ends) of each line; with `tail` also of one that begins before `start`."""
        begins_inside = start > 0 and os.pread(self._file, 1, start - 1) != b"\n"
        for line, end, is_ended in lines.each(self._file, start, self._stopping, until):
            if begins_inside:
                begins_inside = False
                yield ([self._gap(start, end - start)] if tail else []), end
            elif end - start > lines.LINE_BYTES + 1:
                yield [self._gap(start, end - start)], end
            elif is_ended or until >= self._size:
                yield self._entries(start, line), end
            start = end

    def _entries(self, start: int, line: bytes) -> list[Entry]:
        item = lines.parsed(line)
        if item is None:
            return []
        try:
            item = masking.throughout(item, self._mask)
        except RecursionError:
            return [self._gap(start, len(line))]
        at = rfc3339(text.instant(item.get("timestamp")))
        told: list[Observation] | None = streams.understood(
            lambda one: self._store.told(one, self._path), item
        )
        if told is None:
            return [self._gap(start, len(line))]
        drafts = (draft for seen in told for draft in self._worded(seen))
        return [Entry(Place(start, number), at, draft) for number, draft in enumerate(drafts)]

    def _worded(self, seen: Observation) -> Iterator[Draft]:
        if not isinstance(seen, Replied):
            for draft in self._narrator.events(seen):
                about = {
                    name: value for name, value in (draft.metadata or {}).items() if name != "attempt_id"
                }
                yield Draft(draft.kind, draft.message, about)
            return
        about = {"category": Category.REPLY, "runner": self._store.RUNNER}
        if self._store.is_subagent(self._path):
            about["by"] = "agent"
        for number, piece in enumerate(pieces_of(seen.text)):
            yield Draft(Kind.INPUT, piece, {**about, "continues": True} if number else about)

    def _gap(self, start: int, size: int) -> Entry:
        said = f"A line of {size:,} bytes is left out."
        return Entry(Place(start), None, Draft(Kind.LIFECYCLE, said, {"category": Category.GAP}))


def _unless_first(start: Place) -> Place | None:
    return start if start > Place(0) else None
