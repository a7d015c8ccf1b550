"""Choosing the broker that the settings name."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import dramatiq
import pytest

import broker
from broker.redis import RedisBroker
from broker.sqlite import SqliteBroker
from shared import config


def settings(tmp_path: Path, name: str) -> config.Config:
    return config.from_env({"OPENRUNTIME_DATA": str(tmp_path), "OPENRUNTIME_BROKER": name})


def test_sqlite_is_the_default_and_lives_in_the_data_folder(tmp_path: Path) -> None:
    made = broker.make(settings(tmp_path, ""))
    assert isinstance(made, SqliteBroker)
    assert made.path == tmp_path / "broker.sqlite3"
    made.close()


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/3", "unix:///nowhere/redis.sock"])
def test_an_address_makes_a_redis_broker(tmp_path: Path, url: str) -> None:
    made = broker.make(settings(tmp_path, url), prefetch={"attempts": 3})
    assert isinstance(made, RedisBroker)
    made.close()


@pytest.mark.parametrize("name", ["sqlite", "redis://127.0.0.1:1/0"])
def test_making_a_broker_opens_and_starts_nothing(tmp_path: Path, name: str) -> None:
    before = (len(os.listdir("/dev/fd")), threading.active_count())
    made = broker.make(settings(tmp_path, name))
    made.declare_queue("attempts")
    assert (len(os.listdir("/dev/fd")), threading.active_count()) == before
    assert os.listdir(tmp_path) == []
    made.close()


@pytest.mark.parametrize("name", ["sqlite", "redis://127.0.0.1:1/0"])
def test_actors_may_say_that_they_are_not_retried(tmp_path: Path, name: str) -> None:
    made = broker.make(settings(tmp_path, name))
    actor = dramatiq.actor(lambda: None, broker=made, actor_name="once", queue_name="attempts", max_retries=0)
    assert actor.options == {"max_retries": 0}
    made.close()
