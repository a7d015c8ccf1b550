"""The application behind its door, in process, and a real server where bytes on the wire are the point."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.installation import Installation
from tests.integration.web.conftest import served
from tests.unit.pages.conftest import visitor
from tests.unit.web.conftest import api, app, client, config, running, worker

__all__ = ["api", "app", "client", "config", "running", "visitor", "worker"]


@pytest.fixture(scope="module")
def site() -> Iterator[Installation]:
    """Web alone, one for all tests of a file, and this process connected to its store."""
    with (
        tempfile.TemporaryDirectory(prefix="or-", ignore_cleanup_errors=True) as folder,
        served(Path(folder)) as found,
    ):
        yield found
