"""What counts as a prompt when the kernel cannot tell who reads."""

from __future__ import annotations

import pytest

from workers.shim.waiting import is_prompt


@pytest.mark.parametrize(
    "last",
    [
        b"Name: ", b"a\nb\nDo you want to proceed? ", b"Overwrite? [y/N] ", b"Password for me:", b">>> ",
        b"Press any key to go on...", b"working\rContinue?", b"Do you want to proceed?\n", b"approval required\n",
    ],
)  # fmt: skip
def test_a_prompt_is_recognised(last: bytes) -> None:
    assert is_prompt(last)


@pytest.mark.parametrize(
    "last", [b"", b"building...\n", b"50%", b"note: see below\n", b"Continue?\ndone\n", b"ok"]
)
def test_ordinary_output_is_no_prompt(last: bytes) -> None:
    assert not is_prompt(last)
