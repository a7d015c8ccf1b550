"""The broker contract on a real redis-server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from broker.redis import connect
from tests.unit.broker import rigs
from tests.unit.broker.contract import StoredBrokerContract
from tests.unit.broker.deliveries import Rig


@pytest.mark.redis
class TestRedisServer(StoredBrokerContract):
    @pytest.fixture
    def rig(self, redis_url: str) -> Iterator[Rig]:
        client: redis.Redis = connect(redis_url)
        with rigs.redis_rig(client) as rig:
            yield rig
