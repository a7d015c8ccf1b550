"""What each signal does to each kind of process, and what of its work is left and what is not."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from typing import Any

import psutil
import pytest

from tests.chaos import oracle
from tests.chaos.person import Person
from tests.chaos.world import Process, World, wait_for
from tests.installation import OPEN
from tests.waiting import wait_until

INTERRUPT_SECONDS = 15.0
CONTAINED_SECONDS, UNCONTAINED_SECONDS = 1.0, 10.0
TAKEN_OVER_SECONDS = 10.0
#: An agent with a grandchild that left its session and closed everything it inherited but the lock.
FORKER = "echo up; setsid sleep 300 </dev/null >/dev/null 2>&1 & setsid sh -c 'sleep 300; :' & sleep 300"


def carriers(attempt: str) -> set[int]:
    """Live processes that carry the attempt's tag."""
    found = set()
    for process in psutil.process_iter():
        try:
            if process.environ().get("OPENRUNTIME_ATTEMPT_ID") == attempt:
                found.add(process.pid)
        except psutil.Error:
            continue
    return found


def owner_of(world: World, task: str) -> Process:
    pid = int(str(world.attempt_of(task)["worker"]).split("-")[0])
    return next(one for one in world.installation.workers if one.pid == pid)


def test_sigterm_leaves_agents_and_the_next_worker_goes_on_without_a_gap(
    world: World, person: Person
) -> None:
    worker = world.worker()
    task = person.run("terminated", 600, asks=True)
    wait_for(world, lambda: world.started(task), "the agent to start")
    worker.terminate()
    assert worker.wait(15) == 0
    world.installation.workers.remove(worker)
    shim = psutil.Process(world.shim_of(task))
    attempt = world.attempt_of(task)
    assert shim.is_running()
    assert attempt["finished_at"] is None
    world.worker()
    person.go_on(task)
    world.settle()
    facts = oracle.check(world)
    assert facts.ends == facts.starts
    assert world.attempt_of(task)["status"] == "ready-for-review"
    assert world.attempt_of(task)["epoch"] > attempt["epoch"]


def test_sigint_stops_agents_as_interrupted_and_they_may_be_started_again(
    world: World, person: Person
) -> None:
    workers = [world.worker(), world.worker()]
    asked = [person.run(f"interrupted-{number}", 5, asks=True) for number in range(4)]
    for task in asked:
        wait_for(world, lambda task=task: world.started(task), "the agent to start")
    began = time.monotonic()
    for worker in workers:
        worker.send_signal(signal.SIGINT)
    assert [worker.wait(INTERRUPT_SECONDS + 5) for worker in workers] == [0, 0]
    assert time.monotonic() - began < INTERRUPT_SECONDS
    world.installation.workers.clear()
    world.settle(0)
    oracle.check(world)
    for task in asked:
        attempt = world.attempt_of(task)
        assert (attempt["status"], attempt["stop_reason"]) == ("stopped", "interrupted")
    world.worker()
    person.start(asked[0])
    person.go_on(asked[0])
    world.settle()
    oracle.check(world)


@pytest.mark.parametrize(
    ("policy", "seconds"),
    [
        pytest.param(
            {"preset": "default", "policy": OPEN},
            CONTAINED_SECONDS,
            id="contained",
            marks=pytest.mark.sandbox,
        ),
        pytest.param({"preset": "full-access"}, UNCONTAINED_SECONDS, id="uncontained"),
    ],
)
def test_a_killed_shim_leaves_nothing_alive_and_its_attempt_interrupted(
    world: World, person: Person, policy: dict[str, Any], seconds: float
) -> None:
    world.worker()
    task = person.run("shim", command=FORKER, **policy)
    attempt = world.attempt_of(task)["id"]
    wait_for(world, lambda: len(carriers(attempt)) >= 3, "the agent and its children")
    began = time.monotonic()
    os.kill(world.shim_of(task), signal.SIGKILL)
    wait_until(lambda: not carriers(attempt), seconds, what="everything of the attempt to be gone")
    gone = time.monotonic() - began
    found = person.until_ended(task)
    assert (found["status"], found["stop_reason"]) == ("stopped", "interrupted")
    assert gone < seconds
    world.settle()
    oracle.check(world)
    assert len(found["attempts"]) == 1, "an agent that may have had effects is never run again by itself"


def test_a_killed_agent_fails_with_its_signal(world: World, person: Person) -> None:
    world.worker()
    task = person.run("agent", 20, asks=True)
    person.until(task, lambda found: found["status"] == "needs-input")
    agent = psutil.Process(world.shim_of(task)).children()[0]
    agent.kill()
    found = person.until_ended(task)
    assert found["status"] == "failed"
    assert found["attempts"][-1]["exit_status"] == "signal: 9 (SIGKILL)"
    assert found["attempts"][-1]["signal"] == signal.SIGKILL
    world.settle()
    oracle.check(world)


def test_nobody_takes_over_from_a_worker_that_is_only_stopped(world: World, person: Person) -> None:
    world.worker()
    task = person.run("frozen", 400, asks=True)
    wait_for(world, lambda: world.started(task), "the agent to start")
    owner = owner_of(world, task)
    other = world.worker()
    with world.frozen(owner):
        person.until_ended(person.run("meanwhile", 5))
        seen = "SELECT seen_at FROM worker WHERE pid = ?"
        before = world.query(seen, other.pid)[0][0]
        wait_for(world, lambda: world.query(seen, other.pid)[0][0] > before, "another round of the janitor's")
        assert owner_of(world, task) is owner
    person.go_on(task)
    world.settle()
    oracle.check(world)
    assert world.attempt_of(task)["epoch"] == 1


def test_everything_killed_at_once_is_interrupted_and_runs_again_only_when_asked(
    world: World, person: Person
) -> None:
    installation = world.installation
    workers = [world.worker(), world.worker()]
    running = [person.run(f"all-{number}", 400, asks=True) for number in range(3)]
    for task in running:
        wait_for(world, lambda task=task: world.started(task), "the agent to start")
    victims = [psutil.Process(world.shim_of(task)) for task in running]
    victims += [child for shim in victims for child in shim.children(recursive=True)]
    web = psutil.Process(installation.web.pid) if installation.web else None
    assert web is not None
    for victim in [
        web,
        *web.children(recursive=True),
        *(psutil.Process(one.pid) for one in workers),
        *victims,
    ]:
        with suppress(psutil.NoSuchProcess):
            victim.kill()
    for process in (*workers, installation.web):
        assert process is not None
        process.wait(10)
    installation.workers.clear()
    installation.start_web()
    world.worker()
    began = time.monotonic()
    for task in running:
        found = person.until_ended(task)
        assert (found["status"], found["stop_reason"]) == ("stopped", "interrupted")
        assert len(found["attempts"]) == 1
    assert time.monotonic() - began < TAKEN_OVER_SECONDS
    person.start(running[0])
    person.go_on(running[0])
    world.settle()
    oracle.check(world)
