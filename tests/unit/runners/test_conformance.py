"""Our own runners pass the checks we ask of others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from workers.runners import Runner, registry
from workers.runners.conformance import CHECKS

TRANSCRIPTS = Path(__file__).parents[2] / "agents/transcripts"


@pytest.mark.parametrize("name", registry.BUILT_IN)
def test_a_built_in_runner_is_a_runner(name: str) -> None:
    assert isinstance(registry.get(name), Runner)


def one_shot(name: str) -> Any:
    """The same runner as it is with `mode: oneshot`."""
    runner = registry.get(name)
    changed = {
        "start": lambda context: runner.start(replace(context, options={"mode": "oneshot"})),
        "reader": lambda state, context: runner.reader(state, replace(context, options={"mode": "oneshot"})),
    }
    return SimpleNamespace(**{**vars(runner), **changed})


@pytest.mark.parametrize("check", CHECKS)
def test_codex_conforms_as_a_one_shot_too(check: str) -> None:
    CHECKS[check](one_shot("codex"), TRANSCRIPTS / "codex-oneshot")


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", registry.BUILT_IN)
def test_a_built_in_runner_conforms(name: str, check: str) -> None:
    CHECKS[check](registry.get(name), TRANSCRIPTS / name)
