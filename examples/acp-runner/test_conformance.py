"""The checks that openRuntime asks of every runner."""

from pathlib import Path

import openruntime_acp
import pytest

from openruntime.runners import CHECKS


@pytest.mark.parametrize("check", CHECKS)
def test_it_conforms(check: str) -> None:
    CHECKS[check](openruntime_acp, Path(__file__).parent / "transcripts")
