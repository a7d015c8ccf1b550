"""What is known of a session from its transcript so far; kept as JSON between two looks."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any

from shared.clock import rfc3339
from workers.sessions import text

#: As both programs write instants: reading one in full for every line takes as long as its JSON does.
INSTANT = re.compile(r"\d{4}-\d\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-5]\d\.\d{3}Z")
#: Lines of one message stand close together, but other lines may come between.
REMEMBERED = 16


@dataclass
class Transcript:
    """Folded line by line; texts are raw until `settle` makes them fit to be stored."""

    session_id: str | None = None
    agent_id: str | None = None
    workspace: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    #: Messages by where they were seen; each message counts once, whatever form it has.
    counts: dict[str, int] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    last_message: str | None = None
    recent: list[str] = field(default_factory=list)

    @classmethod
    def from_json(cls, value: Any) -> Transcript:
        known = {item.name for item in fields(cls)}
        given = value if isinstance(value, dict) else {}
        return cls(**{name: item for name, item in given.items() if name in known})

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def saw(self, at: Any) -> None:
        """A line's time: the first is the beginning, the latest the last change."""
        plain = isinstance(at, str) and self.created_at is not None and INSTANT.fullmatch(at)
        found = f"{at[:-1]}000Z" if plain else rfc3339(text.instant(at))
        if found is not None:
            self.created_at = self.created_at or found
            if self.updated_at is None or found > self.updated_at:
                self.updated_at = found

    def count(self, where: str, said: str, message_id: Any = None) -> None:
        """A message with text; one that has been counted already only becomes the last one said."""
        self.last_message = said
        if isinstance(message_id, str):
            if message_id in self.recent:
                return
            self.recent = [*self.recent, message_id[:200]][-REMEMBERED:]
        self.counts[where] = self.counts.get(where, 0) + 1

    def name(self, kind: str, title: Any, *, first: bool = False) -> None:
        """A title of some kind: the latest counts, or the `first`."""
        if isinstance(title, str) and title.strip() and not (first and kind in self.titles):
            self.titles[kind] = title[: text.LOOKED_AT_CHARACTERS]

    def settle(self) -> None:
        """Redact and shorten the texts; may be called again."""
        self.last_message = text.shown(self.last_message)
        self.titles = {kind: kept for kind, raw in self.titles.items() if (kept := text.shown(raw))}

    def title(self, kinds: tuple[str, ...]) -> str | None:
        """The first of these kinds of titles there is."""
        return next((self.titles[kind] for kind in kinds if kind in self.titles), None)

    @property
    def created(self) -> datetime | None:
        return text.instant(self.created_at)

    @property
    def updated(self) -> datetime | None:
        return text.instant(self.updated_at)


def word(value: Any, limit: int = 4096) -> str | None:
    """A non-empty string that can be stored, or None."""
    if not isinstance(value, str) or not value or len(value) > limit or "\0" in value:
        return None
    return value.encode("utf-8", "replace").decode()
