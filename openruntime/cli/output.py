"""What a command writes: JSON, tables and lines on stdout, notes on stderr."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import click

from openruntime.cli import terminal

COLOURS = {
    "running": "green",
    "needs-input": "yellow",
    "ready-for-review": "cyan",
    "failed": "red",
    "ok": "green",
    "warn": "yellow",
    "fail": "red",
}


class ReaderGone(Exception):
    """Whoever read our standard output closed it."""


def on_terminal() -> bool:
    return sys.stdout.isatty()


def line(text: str = "") -> None:
    """One line of ours or of an agent's, made safe to show."""
    print(terminal.safe(text))


def note(text: str) -> None:
    """A remark beside the result: stderr, so that a pipe carries the result only."""
    print(terminal.one_line(text), file=sys.stderr, flush=True)


def as_json(value: Any) -> None:
    """One JSON value; ASCII, so that nothing in it can steer a terminal."""
    print(json.dumps(value, indent=2))


def json_line(value: Any) -> None:
    print(json.dumps(value, separators=(",", ":")), flush=True)


def exact(text: str) -> None:
    """Text for another program (a patch): byte for byte, never cleaned."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
    sys.stdout.buffer.flush()


def table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Aligned columns; on a terminal the last one is cut to its width and statuses are coloured."""
    cells = [[terminal.one_line("" if cell is None else str(cell)) for cell in row] for row in rows]
    everything = [[head.upper() for head in heads], *cells]
    widths = [max(terminal.width(row[i]) for row in everything) for i in range(len(heads))]
    columns = shutil.get_terminal_size().columns if on_terminal() else 0
    for row in everything:
        print(_row(row, widths, columns))


def _row(row: Sequence[str], widths: Sequence[int], columns: int) -> str:
    *head, last = row
    left = "".join(
        cell + " " * (size - terminal.width(cell) + 2) for cell, size in zip(head, widths, strict=False)
    )
    if not columns:
        return left + last
    shown = left + terminal.fit(last, max(8, columns - terminal.width(left)))
    for cell in row:
        if cell in COLOURS:
            return shown.replace(cell, click.style(cell, fg=COLOURS[cell]), 1)
    return shown


def pairs(items: Sequence[tuple[str, Any]]) -> None:
    """`name  value` lines; what is None or empty is left out."""
    shown = [(name, value) for name, value in items if value not in (None, "", [], {})]
    size = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        print(f"{name.ljust(size)}  {terminal.one_line(str(value))}")


@contextlib.contextmanager
def progress(text: str) -> Iterator[None]:
    """A spinner while something takes long; only on a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(terminal.one_line(text)):
        yield
