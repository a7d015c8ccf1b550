"""The runner of git: what reaches the program, and how it is bounded."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from shared.errors import GitFailed, NotReady
from workers.repository import git as program
from workers.repository.git import environment, git, version


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Put a shell script in place of git."""

    def make(script: str) -> None:
        place = tmp_path / "git"
        place.write_text(f"#!/bin/sh\n{script}\n")
        place.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    version.cache_clear()
    yield make
    version.cache_clear()


def test_nothing_of_the_workers_environment_reaches_git(monkeypatch) -> None:
    for name in (
        "GIT_DIR",
        "GIT_SSH",
        "GIT_CONFIG_PARAMETERS",
        "LD_PRELOAD",
        "PYTHONPATH",
        "OPENRUNTIME_TOKEN",
        "HTTP_PROXY",
    ):
        monkeypatch.setenv(name, "x")
    given = environment()
    assert (
        not {
            "GIT_DIR",
            "GIT_SSH",
            "GIT_CONFIG_PARAMETERS",
            "LD_PRELOAD",
            "PYTHONPATH",
            "OPENRUNTIME_TOKEN",
            "HTTP_PROXY",
        }
        & given.keys()
    )
    assert (given["GIT_CONFIG_GLOBAL"], given["GIT_NO_REPLACE_OBJECTS"], given["GIT_TERMINAL_PROMPT"]) == (
        "/dev/null",
        "1",
        "0",
    )


def test_later_settings_win_over_the_safe_ones() -> None:
    assert git("config", "core.autocrlf", config={"core.autocrlf": "input"}).text == "input"
    assert git("config", "core.hooksPath").text == "/dev/null"


def test_a_failure_carries_command_code_and_words(tmp_path) -> None:
    with pytest.raises(GitFailed, match="not a git repository") as failed:
        git("rev-parse", "HEAD", cwd=tmp_path)
    assert failed.value.argv[0] == "rev-parse"
    assert failed.value.code == 128


def test_a_git_that_hangs_is_ended_with_its_children(fake, tmp_path) -> None:
    fake(f"sh -c 'echo $$ > {tmp_path}/pid; exec sleep 600'")
    started = time.monotonic()
    with pytest.raises(GitFailed, match="no answer"):
        git("x", timeout_seconds=0.5)
    assert time.monotonic() - started < 5
    place = Path("/proc") / (tmp_path / "pid").read_text().strip() / "stat"
    deadline = time.monotonic() + 5
    while _lives(place) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _lives(place)


def _lives(place: Path) -> bool:
    """Whether a process is there and not merely waiting to be reaped by init."""
    try:
        return place.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_output_is_cut_or_refused_at_its_bound(fake, monkeypatch) -> None:
    fake("yes")
    cut = git("x", max_bytes=1000)
    assert (len(cut.stdout), cut.truncated) == (1000, True)
    monkeypatch.setattr(program, "MAX_OUTPUT_BYTES", 100_000)
    with pytest.raises(GitFailed, match="more than"):
        git("x")


def test_input_larger_than_a_pipe_arrives_whole(fake) -> None:
    fake("cat")
    text = os.urandom(1 << 20)
    assert git("x", input=text).stdout == text


@pytest.mark.parametrize(
    ("printed", "fine"),
    [
        ("git version 2.38.0", True),
        ("git version 2.39.3 (Apple Git-146)", True),
        ("git version 3.0", True),
        ("git version 2.37.9", False),
        ("git version 1.8.3.1", False),
        ("nonsense", False),
    ],
)
def test_an_old_git_is_refused_in_one_sentence(fake, printed, fine) -> None:
    fake(f"echo '{printed}'")
    if fine:
        assert version() >= (2, 38)
    else:
        with pytest.raises(NotReady, match=r"2\.38"):
            version()
