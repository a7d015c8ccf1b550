"""A stand-in server, and the program run against it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from openruntime.cli import exits
from tests.integration.cli.standin_api import Api


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


Cli = Callable[..., Done]


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    api = Api(tmp_path / "data")
    api.start()
    yield api
    api.stop()


@pytest.fixture
def cli(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Cli:
    """Runs one command line in-process against the data directory of `api`."""

    def run(*words: str) -> Done:
        code = exits.run(["--data", str(tmp_path / "data"), *words])
        return Done(code, *capfd.readouterr())

    return run
