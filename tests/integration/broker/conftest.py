"""Worker processes that end with their test."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

pytest.register_assert_rewrite("tests.unit.broker.contract")


class Place:
    """A folder with a log that worker processes write to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "broker.sqlite3"
        self.log = folder / "log"
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, *, address: str = "", threads: int = 1) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-m", "tests.integration.broker.worker_program"]
        with open(self.folder / "stderr", "ab") as stderr:
            process = subprocess.Popen(
                [*argv, address or str(self.file), str(self.log), str(threads)], cwd=ROOT, stderr=stderr
            )
        self.processes.append(process)
        return process

    def lines(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    def says(self, *lines: str) -> Callable[[], bool]:
        return lambda: set(lines) <= set(self.lines())

    def release(self) -> None:
        (self.folder / "release").touch()


@pytest.fixture
def place(short_dir: Path) -> Iterator[Place]:
    place = Place(short_dir)
    yield place
    for process in place.processes:
        process.kill()
        process.wait()
