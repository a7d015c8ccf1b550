"""What `up` prints: its processes' lines under their names, its own notes, and one sign-in link."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from collections.abc import Iterable
from datetime import datetime
from typing import TextIO

import click

from openruntime.cli import terminal

PALETTE = ("cyan", "yellow", "green", "magenta", "blue", "bright_cyan", "bright_yellow", "bright_green")


class Printer:
    """Safe from several threads; a closed terminal or pipe silences it and never ends the processes."""

    def __init__(self, names: Iterable[str], *, quiet: bool = False, as_json: bool = False) -> None:
        names = list(names)
        self._quiet, self._json = quiet, as_json
        self._width = max((len(name) for name in names), default=0)
        self._colours = {name: PALETTE[place % len(PALETTE)] for place, name in enumerate(names)}
        self._lock = threading.Lock()

    def child(self, name: str, line: bytes) -> None:
        """One line of a process, unless quiet; beside JSON it goes to stderr."""
        if not self._quiet:
            self._prefixed(name, line, sys.stderr if self._json else sys.stdout)

    def last_words(self, name: str, lines: Iterable[bytes]) -> None:
        """What a process wrote before it died for good, where that was not shown already."""
        if self._quiet:
            for line in lines:
                self._prefixed(name, line, sys.stderr)

    def link(self, url: str) -> None:
        """The one line a person waits for."""
        self._write(
            json.dumps({"url": url}) if self._json else f"openRuntime is running; sign in: {url}", sys.stdout
        )

    def note(self, text: str) -> None:
        if not self._quiet:
            self._write(text, sys.stderr)

    def error(self, text: str) -> None:
        self._write(text, sys.stderr)

    def _prefixed(self, name: str, line: bytes, stream: TextIO) -> None:
        text = terminal.safe(line.decode("utf-8", "replace")).rstrip("\n").replace("\n", " ")
        prefix = f"{datetime.now().astimezone():%H:%M:%S} {name.ljust(self._width)} |"
        coloured = stream.isatty()
        self._write(
            f"{click.style(prefix, fg=self._colours.get(name)) if coloured else prefix} {text}", stream
        )

    def _write(self, text: str, stream: TextIO) -> None:
        with self._lock, contextlib.suppress(OSError, ValueError):
            stream.write(text + "\n")
            stream.flush()
