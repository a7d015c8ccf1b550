"""Our own waiting and watching tools."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import processes
from tests.waiting import Deadline, wait_until


def test_waiting_answers_with_the_first_truthy_value() -> None:
    values = iter([0, None, "ready"])
    assert wait_until(lambda: next(values)) == "ready"


def test_waiting_in_vain_names_what_was_awaited_and_what_was_seen() -> None:
    with pytest.raises(AssertionError, match=r"waited 0.02 s for the moon; last: \[\]"):
        wait_until(list, 0.02, what="the moon")


def test_only_named_errors_count_as_not_yet() -> None:
    with pytest.raises(AssertionError, match="FileNotFoundError"):
        wait_until(Path("/nowhere/at/all").stat, 0.02, ignoring=(FileNotFoundError,))
    with pytest.raises(FileNotFoundError):
        wait_until(Path("/nowhere/at/all").stat, 0.02)


def test_a_deadline_ends_at_zero() -> None:
    deadline = Deadline(0)
    assert deadline.expired
    assert deadline.remaining() == 0


def test_a_test_has_a_home_of_its_own(home: Path) -> None:
    assert Path.home() == home
    email = subprocess.check_output(["git", "config", "user.email"], cwd=home, text=True)
    assert email.strip().endswith(".invalid")
    assert not [name for name in os.environ if name.startswith(("OPENRUNTIME_", "ANTHROPIC_", "OPENAI_"))]


def test_an_orphan_is_found_by_the_folder_it_carries(home: Path) -> None:
    code = "import subprocess, sys; print(subprocess.Popen(['sleep', '60'], stdout=-3, stderr=-3).pid)"
    starter = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20)
    orphan = int(starter.stdout)
    try:
        assert orphan in processes.carrying(home)
        assert orphan not in processes.carrying(home.parent.with_name(home.parent.name[:-1]))
        assert orphan in processes.alive({orphan})
    finally:
        processes.end({orphan})
    assert not processes.alive({orphan})
