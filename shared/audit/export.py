"""Entries of the audit log as lines of a file: JSON Lines, or CSV that no spreadsheet takes for formulas."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

COLUMNS = (
    "seq",
    "at",
    "actor",
    "kind",
    "object",
    "object_id",
    "task_id",
    "detail",
    "detail_hash",
    "prev_hash",
    "hash",
)
#: What a spreadsheet may read as the beginning of a formula (OWASP, CSV injection).
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
Entry = Mapping[str, Any]


def json_lines(entries: Iterable[Entry]) -> Iterator[str]:
    """One JSON object a line, ASCII: a line break in a text is `\\n` in it."""
    for entry in entries:
        yield compact({name: entry[name] for name in COLUMNS}) + "\n"


def csv_lines(entries: Iterable[Entry]) -> Iterator[str]:
    """A line of names, then one record an entry, `detail` as JSON; what could be a formula gets an apostrophe before it."""
    yield _record(COLUMNS)
    for entry in entries:
        yield _record([_cell(entry[name]) for name in COLUMNS])


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else compact(value)
    shown = text if text.isprintable() else "".join(map(_plain, text))
    return f"'{shown}" if text.startswith(FORMULA) else shown


def _plain(mark: str) -> str:
    return mark if mark.isprintable() else f"\\u{ord(mark):04x}"


def compact(value: Any) -> str:
    """JSON on one line, ASCII."""
    return json.dumps(value, separators=(",", ":"))


def _record(cells: Iterable[Any]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()


FORMATS: dict[str, Callable[[Iterable[Entry]], Iterator[str]]] = {"jsonl": json_lines, "csv": csv_lines}
