"""Two people, or one who clicks twice: one effect, and a plain answer to everybody else."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tests.chaos import messages, oracle
from tests.chaos.person import Person
from tests.chaos.world import World, made, wait_for
from tests.installation import Answer
from tests.waiting import wait_until

CLICKS = 50
ROUNDS = 6
STOP_SECONDS = 1.0
LONG_STARTS = 8
GIT = """#!/bin/sh
[ -e {flag} ] && sleep 0.4
exec {git} "$@"
"""


@pytest.fixture(autouse=True)
def _two_workers(world: World) -> None:
    world.worker()
    world.worker()


def at_once(*requests: Callable[[], Answer | None]) -> list[int]:
    """The status of each answer, all asked at one instant."""
    barrier = threading.Barrier(len(requests))

    def ask(request: Callable[[], Answer | None]) -> int:
        barrier.wait(20)
        answer = request()
        assert answer is not None
        return answer.status

    with ThreadPoolExecutor(len(requests)) as people:
        return list(people.map(ask, requests))


def test_fifty_starts_at_once_start_one_agent(world: World, person: Person) -> None:
    task = person.create("clicked", 2000)  # long enough that no click comes after its end
    path = f"/tasks/{task}/start"
    found = Counter(at_once(*[lambda: person.ask("start", path, task=task)] * CLICKS))
    assert found[200] + found[202] == 1
    assert found[409] == CLICKS - 1
    assert len(person.until_ended(task)["attempts"]) == 1
    world.settle()
    oracle.check(world)


def test_a_stop_beside_a_start_ends_stopped_or_never_started(world: World, person: Person) -> None:
    tasks = [person.create(f"beside-{number}", 100, asks=True) for number in range(ROUNDS)]
    for task in tasks:
        found = at_once(
            lambda task=task: person.ask("start", f"/tasks/{task}/start", task=task),
            lambda task=task: person.ask("stop", f"/tasks/{task}/stop", task=task),
        )
        assert set(found) <= {200, 202}
    for task in tasks:
        person.stop(task)
        assert person.until_ended(task)["status"] == "stopped"
    world.settle()
    oracle.check(world)


def test_of_four_merges_at_once_one_lands(world: World, person: Person) -> None:
    task = person.run("merged", 5)
    person.until_ended(task)
    found = Counter(
        at_once(*[lambda: person.ask("merge", f"/tasks/{task}/worktree/merge", {}, task=task)] * 4)
    )
    assert found[200] >= 1
    assert found[200] + found[409] == 4
    world.settle()
    assert oracle.check(world).landed


def test_a_cleanup_beside_a_merge_never_takes_what_has_not_landed(world: World, person: Person) -> None:
    for number in range(2):
        task = person.run(f"cleaned-{number}", 5)
        person.until_ended(task)
        merge, cleanup = at_once(
            lambda task=task: person.ask("merge", f"/tasks/{task}/worktree/merge", {}, task=task),
            lambda task=task: person.ask("cleanup", f"/tasks/{task}/worktree/cleanup", {}, task=task),
        )
        assert merge == 200 or cleanup == 409
        world.settle()
        assert person.merge(task).status == (409 if merge == 200 else 200)
        assert person.cleanup(task).status == 200
        world.settle()
        oracle.check(world)


def test_a_start_beside_a_cleanup_keeps_its_worktree(world: World, person: Person) -> None:
    for number in range(2):
        task = person.run(f"again-{number}", 5)
        person.until_ended(task)
        start, cleanup = at_once(
            lambda task=task: person.ask("start", f"/tasks/{task}/start", task=task),
            lambda task=task: person.ask(
                "cleanup", f"/tasks/{task}/worktree/cleanup", {"force": True}, task=task
            ),
        )
        assert sorted([start, cleanup]) in ([200, 409], [200, 200])
        person.until_ended(task)
        world.settle()
        oracle.check(world)


def test_what_is_not_there_is_404_and_changes_nothing(world: World, person: Person) -> None:
    nobody = "00000000-0000-4000-8000-000000000000"
    for op in ("start", "stop", "reply", "worktree/merge", "worktree/cleanup"):
        answer = person.ask(op, f"/tasks/{nobody}/{op}", {"message": "x"})
        assert answer is not None
        assert answer.status == 404
    assert world.installation.request("DELETE", f"/workspaces/{nobody}").status == 404
    oracle.check(world)


def test_a_reply_whose_messages_come_three_times_is_heard_once(world: World, person: Person) -> None:
    task = person.run("replied", 5, asks=True)
    person.until(task, lambda found: found["status"] == "needs-input")
    with ThreadPoolExecutor(1) as doubling:
        over = threading.Event()
        doubled = doubling.submit(messages.repeat, world, over)
        for _ in range(5):
            answer = person.reply(task)
            assert answer is not None
            assert answer.status == 200
        person.go_on(task)
        over.set()
        assert doubled.result(20) > 0
    world.settle()
    oracle.check(world)


def test_a_stop_before_any_worker_came_prevents_the_start(world: World, person: Person) -> None:
    for worker in list(world.installation.workers):
        world.kill(worker)
    task = person.create("prevented", 5)
    assert person.start(task).status == 202
    assert person.stop(task).body["status"] == "stopped"
    world.worker()
    person.until_ended(person.run("later", 5))
    assert not world.started(task)
    assert person.status(task) == "stopped"
    world.settle()
    oracle.check(world)


def test_workers_that_wake_at_one_instant_claim_each_attempt_once(world: World, person: Person) -> None:
    workers = world.installation.workers
    for worker in workers:
        world.freeze(worker)
    tasks = [person.create(f"claimed-{number}", 10) for number in range(8)]
    with ThreadPoolExecutor(len(tasks)) as people:
        list(people.map(person.start, tasks))
    for worker in workers:
        worker.send_signal(signal.SIGCONT)
    for task in tasks:
        person.until_ended(task)
    world.settle()
    oracle.check(world)
    assert {world.attempt_of(task)["claims"] for task in tasks} == {1}


@pytest.fixture
def slow_git(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """(a file that makes every git command slow while it exists, the settings that put this git first)."""
    flag, program = tmp_path / "slow", tmp_path / "bin/git"
    program.parent.mkdir()
    program.write_text(GIT.format(flag=flag, git=shutil.which("git")))
    program.chmod(0o755)
    return (
        flag,
        {"PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}", "OPENRUNTIME_MAX_ATTEMPTS": "20"},
    )


def test_a_stop_does_not_wait_behind_starts_that_take_every_thread(
    tmp_path: Path, slow_git: tuple[Path, dict[str, str]]
) -> None:
    flag, settings = slow_git
    with made(tmp_path / "w", **settings) as world:
        person = Person(world)
        task = person.run("stoppable", 5, asks=True)
        wait_for(world, lambda: world.started(task), "the agent to start")
        agent = psutil.Process(world.shim_of(task)).children()[0]
        waiting = [person.create(f"long-{number}", 5) for number in range(LONG_STARTS)]
        flag.touch()
        with ThreadPoolExecutor(LONG_STARTS + 1) as people:
            starts = [people.submit(person.start, one) for one in waiting]
            claimed = (
                "SELECT count(*) FROM attempt WHERE claims > 0 AND identity IS NULL AND finished_at IS NULL"
            )
            wait_for(world, lambda: world.query(claimed)[0][0] >= 2, "starts to be under way")
            began = time.monotonic()
            stop = people.submit(person.stop, task)
            wait_until(lambda: not agent.is_running() or agent.status() == psutil.STATUS_ZOMBIE, 10)
            took = time.monotonic() - began
            under_way = world.query(claimed)[0][0]
            flag.unlink()
            stop.result(30)
            for start in starts:
                start.result(30)
        assert under_way, "the starts were to be under way still"
        assert took < STOP_SECONDS
        for one in waiting:
            person.until_ended(one)
        world.settle()
        oracle.check(world)
