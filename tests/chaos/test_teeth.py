"""The oracle has teeth: workers that lack one guard are caught, by the same faults that right ones survive."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from shared.crashpoints import KILLED, VARIABLE
from tests.chaos import oracle
from tests.chaos.person import Person
from tests.chaos.world import Process, World, made, wait_for

PROGRAM = Path(__file__).with_name("mutant_worker.py")
LINES = 60


def worker(world: World, mutant: str | None, crash: str = "") -> Process:
    """A right worker, or a mutant; on duty once its lock is taken and its row is there."""
    if mutant is None:
        return world.worker(crash=crash or None)
    installation = world.installation
    with (installation.data / "worker.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", str(PROGRAM), mutant],
            env={**installation.environment, VARIABLE: crash},
            cwd=installation.home,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    installation.workers.append(process)
    wait_for(
        world,
        lambda: world.query("SELECT 1 FROM worker WHERE pid = ?", process.pid) or process.poll() is not None,
        "the worker to register",
    )
    return process


def said(world: World, task: str) -> int:
    return int(
        world.query(
            "SELECT count(*) FROM event e JOIN task t ON t.number = e.task WHERE t.id = ? AND e.kind = 'stdout'",
            task,
        )[0][0]
    )


def taken_for_dead(world: World, person: Person, mutant: str | None) -> None:
    """A stopped worker loses its lock file, another one takes over, and the first goes on unawares."""
    first = worker(world, mutant)
    task = person.run("fenced", LINES, asks=True)
    wait_for(world, lambda: said(world, task), "the first output")
    world.freeze(first)
    owner = world.attempt_of(task)["worker"]
    (world.installation.data / "workers" / f"{owner}.lock").unlink()
    #: Not `world.worker()`, which counts: the second one forgets the first as soon as it looks.
    world.installation.workers.append(world.installation._spawn("worker"))
    wait_for(world, lambda: world.attempt_of(task)["epoch"] == 2, "the second to take over")
    person.reply(task)
    wait_for(world, lambda: said(world, task) >= LINES + 2, "the second to store the rest")
    first.send_signal(signal.SIGCONT)
    person.reply(task)
    person.go_on(task)


def killed_in_the_midst(world: World, person: Person, mutant: str | None) -> None:
    """A worker that stored a part of the output is killed, and another one goes on."""
    first = worker(world, mutant)
    task = person.run("resumed", LINES, asks=True)
    wait_for(world, lambda: said(world, task) > LINES, "the output to be stored")
    world.kill(first)
    world.worker()
    person.go_on(task)


def killed_before_its_commit(world: World, person: Person, mutant: str | None) -> None:
    """A worker dies when the shim waits for its go, and the start is not recorded yet."""
    first = worker(world, mutant, "start.before-commit")
    task = person.create("unrecorded", 5)
    person.ask("start", f"/tasks/{task}/start", task=task)
    assert first.wait(60) == KILLED
    world.installation.workers.remove(first)
    world.worker()
    person.until_ended(task)


Scenario = Callable[[World, Person, str | None], None]
CASES: list[tuple[Scenario, str]] = [
    (taken_for_dead, "no epoch guard"),
    (killed_in_the_midst, "offset apart from its events"),
    (killed_before_its_commit, "agent before its commit"),
]
BROKEN = {
    "no epoch guard": "the first difference is at",
    "offset apart from its events": "the first difference is at",
    "agent before its commit": "ran before the store knew of it",
}


@pytest.mark.parametrize(("scenario", "mutant"), CASES, ids=[name for _, name in CASES])
def test_a_mutant_is_caught(tmp_path: Path, scenario: Scenario, mutant: str) -> None:
    with made(tmp_path / "w", workers=0) as world:
        scenario(world, Person(world), mutant)
        world.settle()
        with pytest.raises(oracle.Violated, match=BROKEN[mutant]):
            oracle.check(world)


@pytest.mark.parametrize("scenario", [scenario for scenario, _ in CASES])
def test_a_right_worker_comes_through_the_same(world: World, person: Person, scenario: Scenario) -> None:
    scenario(world, person, None)
    world.settle()
    oracle.check(world)


def test_an_audit_log_that_lost_an_entry_is_caught(world: World, person: Person) -> None:
    world.worker()
    person.until_ended(person.run("recorded", 2))
    world.settle()
    oracle.check(world)
    with closing(sqlite3.connect(world.installation.data / "openruntime.sqlite3")) as store, store:
        store.execute("DROP TRIGGER audit_entry_stays")
        store.execute("DELETE FROM audit_entry WHERE kind = 'start'")
    with pytest.raises(oracle.Violated, match=r"audit log: entry .* is missing(.|\n)*does not say by whom"):
        oracle.check(world)
