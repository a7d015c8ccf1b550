"""Which processes `up` runs: the Procfile, read as honcho reads it, as commands without a shell."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shared.errors import ConfigError

BUILT_IN = "web: openruntime web\nworker: openruntime worker\n"
SHELL_MARKS = frozenset("|&;<>()$`\\\"'*?[]#~=%{}\n")
WORKER = "worker"


@dataclass(frozen=True)
class Entry:
    """One process to keep alive: `kind` is the Procfile's name, `name` tells several of a kind apart."""

    kind: str
    name: str
    argv: tuple[str, ...]
    in_shell: bool = False


def read(app: Path, package: Path) -> str:
    """The Procfile of the checkout, else the wheel's, else the two processes every instance has."""
    for folder in (app, package):
        if (path := folder / "Procfile").is_file():
            return path.read_text(encoding="utf-8")
    return BUILT_IN


def entries(text: str, workers: int = 1) -> list[Entry]:
    """The processes of a Procfile, `worker` as often as asked. Raises ConfigError where it is unusable."""
    from honcho.environ import parse_procfile

    try:
        lines = parse_procfile(text).processes
    except AssertionError as error:
        raise ConfigError("The Procfile names a process twice.") from error
    if not lines:
        raise ConfigError("The Procfile names no process.")
    return [entry for kind, line in lines.items() for entry in _of_kind(kind, line, workers)]


def _of_kind(kind: str, line: str, workers: int) -> Iterator[Entry]:
    argv, in_shell = _command(line)
    count = workers if kind == WORKER else 1
    for number in range(1, count + 1):
        yield Entry(kind, f"{kind}.{number}" if count > 1 else kind, argv, in_shell)


def _command(line: str) -> tuple[tuple[str, ...], bool]:
    """The words of a plain line; anything a shell would interpret goes to one.

    Our own program is started with the interpreter that runs us and without the current folder on its path:
    `up` is typed inside users' projects, which have a `web/` and a `shared/` of their own.
    """
    if SHELL_MARKS & set(line):
        return ("/bin/sh", "-c", line), True
    words = shlex.split(line)
    if os.path.basename(words[0]) == "openruntime":
        return (sys.executable, "-P", "-m", "openruntime", *words[1:]), False
    return tuple(words), False
