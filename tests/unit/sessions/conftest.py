"""A store, and agents' homes that a look reads; the web's list beside them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from shared import doorbell
from shared.agents import sessions
from shared.agents.sessions import Session
from shared.config import Config, from_env
from shared.store.database import close
from tests import stores
from workers import inventory

SHAPES = Path(__file__).resolve().parents[2] / "agents/session-stores"
Json = dict[str, Any]


class Homes:
    """`claude` and `codex` are the agents' homes; `look` reads what is new in them."""

    def __init__(self, folder: Path) -> None:
        self.claude, self.codex = folder / "claude", folder / "codex"
        self.environment = {"CLAUDE_CONFIG_DIR": str(self.claude), "CODEX_HOME": str(self.codex)}
        self.private = folder / "homes"
        self.reads: list[str] = []

    def look(self, stopping: Callable[[], bool] = lambda: False) -> None:
        inventory.look_through(self.environment, stopping, self.private)

    def found(self, **options: Any) -> dict[str, Session]:
        """What a fresh look shows, by session id."""
        self.look()
        rows = sessions.listed(**{"runner": None, "text": None, "limit": 10_000, "after": None, **options})
        assert len({row.session_id for row in rows}) == len(rows)
        return {row.session_id: row for row in rows}


def write(path: Path, *lines: Json | bytes | str) -> Path:
    """A file of JSON lines; bytes and text stand as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(_line(line) for line in lines))
    return path


def append(path: Path, *lines: Json | bytes) -> None:
    with path.open("ab") as file:
        file.write(b"".join(_line(line) for line in lines))


def _line(line: Json | bytes | str) -> bytes:
    if isinstance(line, bytes):
        return line
    return line.encode() if isinstance(line, str) else json.dumps(line, ensure_ascii=False).encode() + b"\n"


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Config]:
    found = from_env({}, data=tmp_path / "data")
    stores.fresh(found)
    yield found
    doorbell.forget()
    close()


@pytest.fixture
def homes(config: Config, tmp_path: Path) -> Homes:
    return Homes(tmp_path)
