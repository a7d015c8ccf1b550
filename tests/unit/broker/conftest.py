"""What the broker tests share: assertions that explain themselves, and an SQLite broker in a file of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broker.sqlite import SqliteBroker
from tests.unit.broker.deliveries import (
    QUEUE,
    middleware,
)

pytest.register_assert_rewrite("tests.unit.broker.contract")


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Any]:
    made: list[SqliteBroker] = []

    def make(**settings: Any) -> SqliteBroker:
        broker = SqliteBroker(tmp_path / "broker.sqlite3", middleware=middleware(), **settings)
        broker.declare_queue(QUEUE)
        made.append(broker)
        return broker

    yield make
    for broker in made:
        broker.close()


@pytest.fixture
def broker(make: Any) -> SqliteBroker:
    return make()
