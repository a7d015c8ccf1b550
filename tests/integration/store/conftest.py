"""A store in a temporary folder, and programs that use it as processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared import doorbell
from shared.config import Config, from_env
from shared.store.database import close

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = Path(__file__).with_name("store_program.py")
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Config]:
    yield from_env({}, data=tmp_path / "data")
    doorbell.forget()
    close()


@pytest.fixture
def start(config: Config) -> Iterator[Start]:
    """Start `store_program.py VERB ARGUMENT…` on the test's store."""
    running: list[subprocess.Popen[str]] = []

    def begin(*argv: str, **environ: str) -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENRUNTIME_DATA": str(config.data), **environ}
        one = subprocess.Popen(
            [sys.executable, str(PROGRAM), *argv], env=environment, stdout=subprocess.PIPE, text=True
        )
        running.append(one)
        return one

    yield begin
    for one in running:
        one.kill()
        one.communicate()
