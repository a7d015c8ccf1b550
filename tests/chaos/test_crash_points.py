"""A worker, or the web process, is ended at every named point once: whoever comes next loses and doubles nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import Empty, SimpleQueue

import psutil
import pytest

from shared.crashpoints import KILLED, POINTS, VARIABLE, Point
from tests.chaos import oracle
from tests.chaos.person import Person
from tests.chaos.world import Process, World, made, wait_for

LANES = 4  # worlds side by side: most of a crash's time is waiting


class Shift:
    """One worker after the other: the first ones as `crashes` says (a point, or None), then unarmed ones."""

    def __init__(self, world: World, *crashes: str | None) -> None:
        self.world = world
        self.codes: list[int] = []
        self._crashes = list(crashes)
        self._over = threading.Event()
        self._process = self._next()
        self._thread = threading.Thread(target=self._relieve, name="shift")

    def __enter__(self) -> Shift:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self.world.kill(self._process)

    def kill(self) -> None:
        """kill -9 whoever is on duty."""
        self._process.kill()

    def _next(self) -> Process:
        return self.world.worker(crash=self._crashes.pop(0) if self._crashes else None)

    def _relieve(self) -> None:
        while not self._over.wait(0.02):
            code = self._process.poll()
            if code is not None:
                self.codes.append(code)
                self.world.installation.workers.remove(self._process)
                self._process = self._next()


def short_life(person: Person, label: str, shift: Shift) -> None:
    """Started, and ended by itself."""
    person.until_ended(person.run(label))


def asked_life(person: Person, label: str, shift: Shift) -> None:
    """Asked something in its midst, and answered."""
    task = person.run(label, asks=True)
    person.until(task, lambda found: found["status"] == "needs-input")
    person.reply(task)
    person.go_on(task)


def landed_life(person: Person, label: str, shift: Shift) -> None:
    """Ended, landed and cleaned up."""
    task = person.run(label, 5)
    person.until_ended(task)
    person.merge(task)
    person.cleanup(task)


def undone_life(person: Person, label: str, shift: Shift) -> None:
    """Landed and cleaned up, and all of it undone."""
    task = person.run(label, 5)
    person.until_ended(task)
    person.merge(task, cleanup=True)
    person.undo(task)


def rebased_life(person: Person, label: str, shift: Shift) -> None:
    """Overtaken by another task's landing, brought onto it, and landed."""
    first, second = (person.run(f"{label}-{number}", 5) for number in range(2))
    person.until_ended(first)
    person.until_ended(second)
    person.merge(first)
    person.rebase(second)
    person.merge(second, cleanup=True)


def stopped_life(person: Person, label: str, shift: Shift) -> None:
    """Stopped while its agent waits for an answer."""
    task = person.run(label, asks=True)
    person.until(task, lambda found: found["status"] == "needs-input")
    person.stop(task)
    person.until_ended(task)
    person.cleanup(task, force=True)


def taken_over_life(person: Person, label: str, shift: Shift) -> None:
    """Its first worker is killed, so that the armed one finds an attempt of a dead worker."""
    task = person.run(label, asks=True)
    wait_for(person.world, lambda: person.world.started(task), "the agent to start")
    shift.kill()
    person.go_on(task)


Life = Callable[[Person, str, Shift], None]
#: Each point with the n-th time it is the end, and a life that passes it.
PASSES: list[tuple[Point, int, Life]] = [
    ("ring.before", 1, short_life),
    ("start.claimed", 1, short_life),
    ("start.worktree", 1, short_life),
    ("start.placed", 1, short_life),
    ("start.before-commit", 1, short_life),
    ("start.after-commit", 1, short_life),
    ("start.after-go", 1, short_life),
    ("progress.before-store", 2, short_life),
    ("progress.after-store", 2, short_life),
    ("steering.before-ask", 1, asked_life),
    ("steering.after-ask", 1, asked_life),
    ("steering.finished", 1, asked_life),
    ("steering.before-ask", 1, stopped_life),
    ("steering.after-ask", 1, stopped_life),
    ("end.captured", 1, short_life),
    ("end.finished", 1, short_life),
    ("takeover.adopted", 1, taken_over_life),
    ("work.taken", 1, landed_life),
    ("work.taken", 2, landed_life),
    ("work.finished", 1, landed_life),
    ("merge.intent", 1, landed_life),
    ("merge.moved", 1, landed_life),
    ("merge.recorded", 1, landed_life),
    ("cleanup.preserved", 1, landed_life),
    ("cleanup.removed", 1, landed_life),
    ("cleanup.recorded", 1, landed_life),
    ("undo.intent", 1, undone_life),
    ("undo.moved", 1, undone_life),
    ("undo.restored", 1, undone_life),
    ("rebase.planned", 1, rebased_life),
    ("rebase.moved", 1, rebased_life),
]
NAMES = [f"{point}:{count} {life.__name__}" for point, count, life in PASSES]


def crash(world: World, number: int) -> list[int]:
    """Live one life over workers that die; returns the exit codes of those that did."""
    point, count, life = PASSES[number]
    crashes = [None] * (life is taken_over_life) + [f"{point}:{count}"]
    with Shift(world, *crashes) as shift:
        life(Person(world), f"life-{number}", shift)
        wait_for(world, lambda: len(shift.codes) == len(crashes), "the armed worker to end")
        world.settle()
        oracle.check(world)
        return shift.codes


@pytest.fixture(scope="module")
def crashes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[int, Future[list[int]]]:
    """Every selected point's crash, lived through in worlds side by side before the first test asks."""
    here = [item for item in request.session.items if item.module is request.module]
    wanted = [item.callspec.params["number"] for item in here if hasattr(item, "callspec")]
    waiting: SimpleQueue[int] = SimpleQueue()
    results: dict[int, Future[list[int]]] = {number: Future() for number in wanted}
    for number in wanted:
        waiting.put(number)

    def lane(folder: Path) -> None:
        while not waiting.empty():
            try:
                with made(folder / f"w{threading.get_native_id()}-{waiting.qsize()}", workers=0) as world:
                    _live_on(world, waiting, results)
            except Exception as error:
                if not any(future.exception() is error for future in results.values() if future.done()):
                    raise

    with ThreadPoolExecutor(LANES) as lanes:
        ran = [lanes.submit(lane, tmp_path_factory.mktemp("lane")) for _ in range(LANES)]
    for one in ran:
        one.result()
    return results


def _live_on(world: World, waiting: SimpleQueue[int], results: dict[int, Future[list[int]]]) -> None:
    """One crash after the other in the same world, until one fails: then the next begins in a new one."""
    while True:
        try:
            number = waiting.get_nowait()
        except Empty:
            return
        try:
            results[number].set_result(crash(world, number))
        except Exception as error:
            results[number].set_exception(error)
            raise


@pytest.mark.timeout(400)
@pytest.mark.parametrize("number", range(len(PASSES)), ids=NAMES)
def test_a_worker_killed_at_a_point_loses_and_doubles_nothing(
    crashes: dict[int, Future[list[int]]], number: int
) -> None:
    assert crashes[number].result()[-1] == KILLED


def test_every_point_is_reached() -> None:
    assert {point for point, _, _ in PASSES} == set(POINTS)


def test_a_web_process_killed_at_every_request_between_commit_and_ring_loses_and_doubles_nothing(
    tmp_path: Path,
) -> None:
    with made(tmp_path / "w") as world:
        installation = world.installation
        assert installation.web is not None
        installation.kill(installation.web)
        installation.settings[VARIABLE] = "ring.before"
        installation.start_web()
        parent = psutil.Process(installation.web.pid)
        first = parent.children()
        person = Person(world)
        task = person.run("web", 10, asks=True)
        person.until(task, lambda found: found["status"] == "needs-input")
        assert person.reply(task) is None, "the process that took it must be dead"
        person.go_on(task)
        person.merge(task)
        world.settle()
        assert parent.children() != first
        facts = oracle.check(world)
        assert (facts.starts, facts.ends, facts.landed) == (1, 1, 1)
