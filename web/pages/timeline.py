"""A task's timeline in blocks: which events a page shows, filtered by the server, and their rows."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from flask import Flask, Response, request
from markupsafe import Markup

from shared import tasks
from shared.clock import from_micros
from shared.store.database import raw
from shared.store.models import Approval, Task
from web.event_text import COLUMNS
from web.pages import frame
from web.reading import snapshot
from web.rendering import rows
from web.rendering.rows import Context, Seen
from web.security import Authority, authority

#: Events of one block (web.md 2.3); the script fills and empties whole blocks.
BLOCK = 100
#: Blocks in the first page: the newest ones, more than a screen of them.
FIRST_BLOCKS = 2
#: One answer renders at most this many events.
MOST = 400
QUERY = 200
CATEGORY = "json_extract(metadata, '$.category')"
OUTPUT = f"(kind IN ('stdout', 'stderr') AND coalesce({CATEGORY}, 'runner-output') = 'runner-output')"
TOOLS = f"coalesce({CATEGORY}, '') IN ('tool-call', 'tool-result')"
ERRORS = (
    f"(kind IN ('error', 'stderr') OR {CATEGORY} IN ('attempt-failed', 'attempt-start-failed', 'reply-error', 'gap')"
    " OR json_extract(metadata, '$.failed') = 1)"
)


@dataclass(frozen=True)
class Filter:
    """What of a timeline is wanted; the query parameters of the page and of its rows."""

    output: bool = True
    tools: bool = True
    errors: bool = False
    text: str = ""

    @classmethod
    def asked(cls) -> Filter:
        """The page's own; `f` says that the form was sent: a box that is not ticked sends nothing."""
        sent = bool(frame.query("f"))
        return cls(
            output=not sent or frame.query("output") == "1",
            tools=not sent or frame.query("tools") == "1",
            errors=frame.query("errors") == "1",
            text=frame.query("q")[:QUERY],
        )

    @property
    def is_on(self) -> bool:
        return self != Filter()

    @property
    def query(self) -> dict[str, str]:
        """As query parameters; none when everything is wanted."""
        if not self.is_on:
            return {}
        found = {"f": "1", "output": "1" if self.output else "", "tools": "1" if self.tools else ""}
        return {
            name: value
            for name, value in {**found, "errors": "1" if self.errors else "", "q": self.text}.items()
            if value
        }

    def condition(self) -> tuple[str, list[str]]:
        """SQL that follows a WHERE, and its parameters."""
        parts, given = [], []
        if not self.output:
            parts.append(f"NOT {OUTPUT}")
        if not self.tools:
            parts.append(f"NOT {TOOLS}")
        if self.errors:
            parts.append(ERRORS)
        if self.text:
            parts.append("instr(lower(message), lower(?)) > 0")
            given.append(self.text)
        return "".join(f" AND {part}" for part in parts), given


@dataclass(frozen=True)
class Block:
    """The events from `first` to `last`, drawn."""

    first: int
    last: int
    html: Markup


@dataclass(frozen=True)
class Window:
    """What a page shows: some blocks, where the others begin, and the addresses of the pages beside it.

    `starts` lists the first seq of every block under a filter; None without one, where they are regular.
    """

    blocks: list[Block]
    starts: list[int] | None
    last: int
    older: int | None
    newer: int | None
    count: int


def install(app: Flask) -> None:
    app.add_url_rule("/ui/tasks/<id>/rows", "task_rows", rows_partial)


@authority(Authority.PAGE)
def rows_partial(id: str) -> Response:
    """The rows of the events `from` to `to`, ascending; at most 400 events."""
    with snapshot():
        task = tasks.get(id)
        first, last = _whole("from", 1), _whole("to", task.last_seq)
        found = events(task, first, last, Filter.asked())
        shown = rows.html(draw(task, found))
    answer = Response(shown, mimetype="text/html")
    answer.headers["X-Last"] = str(found[-1].seq if len(found) == MOST else min(last, task.last_seq))
    return answer


def _whole(name: str, default: int) -> int:
    text = request.args.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else default


def window(task: Task, wanted: Filter) -> Window:
    """The newest blocks, or those below `?before=`, or around `?at=`."""
    before, at = frame.query("before"), frame.query("at")
    starts = _starts(task, wanted) if wanted.is_on else None
    begin = starts if starts is not None else range(1, task.last_seq + 1, BLOCK)
    end = len(begin)
    if before.isascii() and before.isdigit() and len(before) < 16:
        end = max(1, sum(1 for first in begin if first < int(before)))
    elif at.isascii() and at.isdigit() and len(at) < 16:
        end = min(len(begin), max(1, sum(1 for first in begin if first <= int(at))) + 1)
    low = max(0, end - FIRST_BLOCKS)
    blocks = []
    for place in range(low, min(end, len(begin))):
        last = begin[place + 1] - 1 if place + 1 < len(begin) else task.last_seq
        blocks.append(
            Block(begin[place], last, rows.html(draw(task, events(task, begin[place], last, wanted))))
        )
    newer = begin[min(len(begin), end + FIRST_BLOCKS) - 1] + 1 if end < len(begin) else None
    return Window(blocks, starts, task.last_seq, begin[low] if low > 0 else None, newer, len(begin))


def _starts(task: Task, wanted: Filter) -> list[int]:
    """The first seq of every 100 events that pass the filter; the first block begins at 1."""
    condition, given = wanted.condition()
    query = f"SELECT seq FROM event WHERE task = ?{condition} ORDER BY seq"  # noqa: S608
    found = raw().execute(query, (task.number, *given))
    starts = [row[0] for number, row in enumerate(found) if number % BLOCK == 0]
    return [1, *starts[1:]] if starts else []


def events(task: Task, first: int, last: int, wanted: Filter) -> list[Seen]:
    """At most 400 events of a range that pass the filter."""
    condition, given = wanted.condition()
    found = raw().execute(
        f"SELECT {COLUMNS} FROM event WHERE task = ? AND seq BETWEEN ? AND ?{condition} ORDER BY seq LIMIT {MOST}",  # noqa: S608
        (task.number, first, last, *given),
    )
    return [
        Seen(seq, attempt, kind, message, _metadata(metadata), from_micros(at))
        for seq, attempt, kind, message, metadata, at in found
    ]


@lru_cache(maxsize=256)
def _metadata(text: str | None) -> dict[str, Any]:
    """Lines of output share their metadata word for word; nobody changes what is read here."""
    found = json.loads(text) if text else {}
    return found if isinstance(found, dict) else {}


def draw(task: Task, found: Iterable[Seen]) -> list[rows.Row]:
    """Events as rows, with the approvals they name."""
    listed = list(found)
    named = {str(event.metadata["approval_id"]) for event in listed if event.metadata.get("approval_id")}
    asked = {row.id: row for row in Approval.select().where(Approval.id.in_(named))} if named else {}
    return rows.rows(listed, Context(f"/ui/tasks/{task.id}", task.runner, asked))
