"""One attempt per test, and nothing of it left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.attempts.driver import Run


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    attempt = Run(tmp_path / "attempts" / "one")
    yield attempt
    attempt.close()
