"""Our own runners pass the checks we ask of others."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.runners import Runner, registry
from workers.runners.conformance import CHECKS

TRANSCRIPTS = Path(__file__).parents[2] / "agents/transcripts"


@pytest.mark.parametrize("name", registry.BUILT_IN)
def test_a_built_in_runner_is_a_runner(name: str) -> None:
    assert isinstance(registry.get(name), Runner)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", registry.BUILT_IN)
def test_a_built_in_runner_conforms(name: str, check: str) -> None:
    CHECKS[check](registry.get(name), TRANSCRIPTS / name)
