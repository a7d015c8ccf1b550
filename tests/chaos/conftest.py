"""A world for a module's tests, and its whole story beside a failure."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

from tests.chaos.person import Person
from tests.chaos.world import World, made


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    world = getattr(item, "funcargs", {}).get("world")
    if report.failed and isinstance(world, World):
        report.sections.append(("what happened", world.report()))
    return report


@pytest.fixture(scope="module")
def one_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A web process without workers."""
    with made(tmp_path_factory.mktemp("world") / "w", workers=0) as world:
        yield world


@pytest.fixture
def world(one_world: World) -> Iterator[World]:
    """The module's world; the workers a test starts are killed behind it."""
    yield one_world
    for worker in list(one_world.installation.workers):
        one_world.kill(worker)


@pytest.fixture
def person(world: World) -> Person:
    return Person(world)
