"""A real store in a temporary folder, tasks in it, and a worker's part played by the test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import doorbell
from shared.config import Config, from_env
from shared.store.database import close
from tests import stores
from tests.unit.shared.played import Board


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Config]:
    found = from_env({}, data=tmp_path / "data")
    stores.fresh(found)
    yield found
    doorbell.forget()
    close()


@pytest.fixture
def board(config: Config, tmp_path: Path) -> Board:
    folder = tmp_path / "work"
    folder.mkdir()
    return Board(folder)
