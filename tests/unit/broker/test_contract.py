"""The broker contract within one process: Dramatiq's stub, our SQLite broker, Redis' on fakeredis."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fakeredis
import pytest

from tests.unit.broker import rigs
from tests.unit.broker.contract import BrokerContract, StoredBrokerContract
from tests.unit.broker.deliveries import Rig


class TestStubBroker(BrokerContract):
    @pytest.fixture
    def rig(self) -> Rig:
        return rigs.stub_rig()


class TestSqliteBroker(StoredBrokerContract):
    @pytest.fixture
    def rig(self, tmp_path: Path) -> Iterator[Rig]:
        with rigs.sqlite_rig(tmp_path) as rig:
            yield rig


class TestRedisBroker(StoredBrokerContract):
    @pytest.fixture
    def rig(self) -> Iterator[Rig]:
        with rigs.redis_rig(fakeredis.FakeStrictRedis()) as rig:
            yield rig
