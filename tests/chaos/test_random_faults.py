"""Faults at random while people create, start, answer, stop, land and clean up: what was acknowledged holds."""

from __future__ import annotations

import os
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.chaos import oracle
from tests.chaos.faults import Faults
from tests.chaos.person import Person
from tests.chaos.world import World, made
from tests.installation import OPEN

PEOPLE = 5
PAUSE_SECONDS = (0.05, 0.4)
SHORT, FULL = 10, 200
#: CHAOS_SEED replays a run; each run says its seed.
SEED = int(os.environ.get("CHAOS_SEED", "0"))


def day(world: World, number: int, seed: int, over: threading.Event) -> int:
    """One person's tasks, one after the other, until it is over; returns how many."""
    person, chance, count = Person(world, patience=90), random.Random(seed * 1000 + number), 0
    while not over.is_set():
        label = f"p{number}-{count}"
        count += 1
        asks = chance.random() < 0.4
        contained = {"preset": "default", "policy": OPEN, "command": f"echo {label}; sleep 0.2; echo {label}"}
        if chance.random() < 0.15:
            person.until_ended(person.run(label, **contained))
            continue
        task = person.run(label, chance.choice([5, 40, 120]), asks=asks)
        if chance.random() < 0.2:
            person.stop(task)
        elif asks:
            person.reply(task)
            person.go_on(task)
        person.until_ended(task)
        if chance.random() < 0.5:
            person.merge(task)
        if chance.random() < 0.5:
            person.cleanup(task, force=True)
    return count


def live_through(world: World, seed: int, faults: int) -> None:
    print(f"seed {seed}: CHAOS_SEED={seed} replays this run")
    world.tell(f"seed {seed}")
    struck, over = Faults(world, seed), threading.Event()
    pause = threading.Event()
    with ThreadPoolExecutor(PEOPLE) as people:
        days = [people.submit(day, world, number, seed, over) for number in range(PEOPLE)]
        try:
            for _ in range(faults):
                pause.wait(struck.chance.uniform(*PAUSE_SECONDS))
                struck.strike()
        finally:
            struck.thaw()
            over.set()
        lived = sum(one.result() for one in days)
    world.settle(60)
    facts = oracle.check(world)
    world.tell(f"{struck.counts} {lived} {facts}")
    print(struck.counts, lived, facts)
    assert sum(struck.counts.values()) == faults
    assert facts.acknowledged["create"] >= lived >= PEOPLE
    assert facts.ends


@pytest.mark.timeout(240)
def test_acknowledged_work_survives_faults_at_random(tmp_path: Path, suite_broker: str) -> None:
    with made(tmp_path / "w", workers=2, broker=suite_broker) as world:
        live_through(world, SEED or 1, SHORT)


@pytest.mark.slow
@pytest.mark.timeout(1100)
@pytest.mark.parametrize("seed", [SEED or random.randrange(1, 1 << 30), 7])
def test_acknowledged_work_survives_two_hundred_faults(tmp_path: Path, suite_broker: str, seed: int) -> None:
    with made(tmp_path / "w", workers=2, broker=suite_broker) as world:
        live_through(world, seed, FULL)


@pytest.mark.slow
@pytest.mark.redis
@pytest.mark.timeout(240)
def test_acknowledged_work_survives_a_redis_that_forgets_everything(tmp_path: Path, redis_url: str) -> None:
    with made(tmp_path / "w", workers=2, broker=redis_url) as world:
        live_through(world, SEED or 2, SHORT // 2)
