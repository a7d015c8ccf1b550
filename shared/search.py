"""Words looked for in tasks and in what their timelines say, without an index: bounded, newest first, to be gone on with.

An index of every event would double the store and slow the one hot path (events arrive by the thousand a second), and
keep words of tasks that were deleted. So a question reads back from the newest event as far as its time allows.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.clock import from_micros
from shared.errors import BadRequest
from shared.store.database import raw
from shared.store.models import Task

#: `two words` are both looked for, `"two words"` as they stand.
WORD = re.compile(r'"([^"]+)"|(\S+)')
#: The beginning of a task's id, as people copy it.
ID = re.compile(r"[0-9a-fA-F][0-9a-fA-F-]{5,35}")
MOST_WORDS = 8
MOST_CHARACTERS = 500
#: Rows read by one statement, and the CPU time after which an answer says where to go on.
STEP = 4000
CPU_SECONDS = 0.15
SNIPPET_BEFORE, SNIPPET_CHARACTERS = 60, 240


@dataclass(frozen=True)
class Hit:
    """One event that has every word; `snippet` is the text around the first."""

    position: int
    task: Task
    seq: int
    kind: str
    snippet: str
    created_at: datetime


@dataclass(frozen=True)
class Found:
    """Events, newest first; `following` is the position to go on below, None once all were read."""

    hits: list[Hit]
    following: int | None


def words_of(text: str) -> list[str]:
    """The words of a question. Raises BadRequest for none, or too many."""
    found = [quoted or word for quoted, word in WORD.findall(text[: MOST_CHARACTERS + 1])]
    found = [word.strip('"') for word in found if word.strip('"')]
    if not found or len(text) > MOST_CHARACTERS or len(found) > MOST_WORDS or "\0" in text:
        raise BadRequest(
            f'Look for one to {MOST_WORDS} words, {MOST_CHARACTERS} characters at most; "two words" are looked for as one.'
        )
    return found


def tasks(words: Sequence[str], limit: int) -> list[Task]:
    """Tasks that have every word in title, goal or command, and the one whose id begins so; the latest first."""
    condition, given = _every("title || char(10) || prompt || char(10) || command", words)
    if len(words) == 1 and ID.fullmatch(words[0]):
        condition, given = f"({condition}) OR id LIKE ?", [*given, f"{words[0].lower()}%"]
    rows = raw().execute(
        f"SELECT number FROM task WHERE deleted_at IS NULL AND ({condition}) ORDER BY updated_at DESC, number DESC LIMIT ?",  # noqa: S608
        [*given, limit],
    )
    return _tasks([number for (number,) in rows])


def events(words: Sequence[str], limit: int, below: int | None = None) -> Found:
    """Up to `limit` events that have every word, below a position, as far back as the time allows."""
    condition, given = _every("message", words)
    top = below if below is not None else _newest() + 1
    deadline = time.thread_time() + CPU_SECONDS
    rows: list[Any] = []
    while top > 1 and len(rows) < limit and time.thread_time() < deadline:
        floor, left = max(1, top - STEP), limit - len(rows)
        rows += raw().execute(
            "SELECT position, task, seq, kind, message, created_at FROM event"  # noqa: S608
            f" WHERE position >= ? AND position < ? AND {condition} ORDER BY position DESC LIMIT ?",
            [floor, top, *given, left],
        )
        top = rows[-1][0] if len(rows) == limit else floor
    known = {task.number: task for task in _tasks(list({row[1] for row in rows}))}
    return Found(
        [_hit(row, known[row[1]], words) for row in rows if row[1] in known], top if top > 1 else None
    )


def _hit(row: Any, task: Task, words: Sequence[str]) -> Hit:
    position, _, seq, kind, message, created_at = row
    return Hit(position, task, seq, kind, snippet(message, words), from_micros(created_at))


def snippet(text: str, words: Sequence[str]) -> str:
    """The text around the first word that is found, on one line."""
    place = min((at for at in (text.lower().find(word.lower()) for word in words) if at >= 0), default=0)
    start = max(0, place - SNIPPET_BEFORE)
    cut = " ".join(text[start : start + SNIPPET_CHARACTERS].split())
    return ("…" if start else "") + cut + ("…" if start + SNIPPET_CHARACTERS < len(text) else "")


def _every(expression: str, words: Sequence[str]) -> tuple[str, list[str]]:
    return " AND ".join([f"{expression} LIKE ? ESCAPE '\\'"] * len(words)), [_like(word) for word in words]


def _like(word: str) -> str:
    """A pattern in which nothing of the word is a wildcard; case counts for letters beyond ASCII only."""
    plain = re.sub(r"([%_\\])", r"\\\1", word)
    return f"%{plain}%"


def _newest() -> int:
    return int(raw().execute("SELECT coalesce(max(position), 0) FROM event").fetchone()[0])


def _tasks(numbers: Sequence[int]) -> list[Task]:
    """These tasks, in the order of the numbers."""
    found = {task.number: task for task in Task.select().where(Task.number.in_(list(numbers)))}
    return [found[number] for number in numbers if number in found]
