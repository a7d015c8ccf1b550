"""How attempts end: nothing of an agent is left, floods stay bounded, and a full disk is said."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.integration.attempts.driver import STDERR, Run
from tests.waiting import wait_until
from workers.attempts import process
from workers.shim import proc

STUBBORN = "trap '' TERM INT HUP; while :; do sleep 1; done"


def test_a_term_handler_runs_and_its_exit_code_is_kept(run: Run) -> None:
    run.sh("trap 'echo bye; exit 9' TERM; echo ready; while :; do sleep 0.05; done")
    run.shows(b"ready")
    run.ask("stop", id="1", why="user")
    ended = run.ended()
    assert (ended.code, ended.reason) == (9, "user")
    assert run.text().endswith(b"bye\n")
    assert [(note["signal"], note["why"]) for note in run.notes()] == [("TERM", "user")]


def test_a_ladder_is_climbed_and_ends_in_a_kill(run: Run) -> None:
    run.sh(f"echo ready; {STUBBORN}", ladder=[("INT", 0.1), ("TERM", 0.1)])
    run.shows(b"ready")
    run.ask("stop", id="1", why="user")
    assert run.ended().signal == signal.SIGKILL
    assert [note["signal"] for note in run.notes()] == ["INT", "TERM", "KILL"]
    assert run.members() == []


def test_detached_and_stubborn_children_die_with_a_stopped_agent(run: Run) -> None:
    run.sh(
        f"(setsid sh -c '{STUBBORN}' &) ; (setsid setsid env -i sleep 300 &); echo ready; {STUBBORN}",
        ladder=[("TERM", 0.1)],
    )
    run.shows(b"ready")
    below = proc.descendants([run.shim()[0]])
    assert len(below) >= 3
    run.ask("stop", id="1", why="user")
    run.ended()
    assert [member for member in below if proc.start_time(member[0]) == member[1]] == []


def test_a_grandchild_that_keeps_the_output_open_is_drained_killed_and_counted(run: Run) -> None:
    began = time.monotonic()
    ended = run.sh("(trap '' HUP; sleep 300) & echo main is done").ended()
    assert time.monotonic() - began < 5
    assert (ended.code, ended.stragglers, ended.reason) == (0, 1, None)
    assert run.members() == []


def test_a_fork_storm_that_ignores_signals_is_ended(run: Run) -> None:
    run.sh("trap '' TERM; for i in 1 2 3 4 5 6 7 8 9 10; do (trap '' TERM; while :; do sleep 0.01 & done) & done; echo ready; wait",
           ladder=[("TERM", 0.1)])  # fmt: skip
    run.shows(b"ready")
    run.ask("stop", id="1", why="user")
    run.ended()
    assert run.members() == []


def test_after_a_killed_shim_the_tag_finds_what_is_left_and_the_state_says_so(run: Run) -> None:
    run.sh(f"(setsid sh -c '{STUBBORN}' &) ; echo ready; sleep 300")
    run.shows(b"ready")
    run.kill_shim()
    wait_until(run.shim_is_gone, what="the shim to be gone")
    assert run.state == "lost", "what holds the inherited lock now is nobody's"
    assert process.sweep(run.attempt_id) >= 1
    assert run.members() == []
    assert process.read_exit(run.directory) is None


def test_a_reused_pid_is_never_signalled() -> None:
    bystander = subprocess.Popen(["sleep", "300"])
    try:
        started = proc.start_time(bystander.pid)
        assert proc.send((bystander.pid, started - 1), signal.SIGKILL) is False
        assert bystander.poll() is None
        assert proc.send((bystander.pid, started), signal.SIGKILL) is True
    finally:
        bystander.kill()
        bystander.wait()


def test_a_shim_told_to_end_stops_its_agent_as_interrupted(run: Run) -> None:
    run.sh("sleep 300")
    proc.send(run.shim(), signal.SIGTERM)
    assert run.ended().reason == "interrupted"


def test_an_endless_flood_stays_bounded_answers_and_counts_what_it_drops(run: Run) -> None:
    run.start(
        "yes", "a line of forty bytes, again and again ok", log_head_bytes=2 << 20, log_tail_bytes=1 << 20
    )
    wait_until(lambda: run.ask("status")["dropped_bytes"] > 20 << 20, what="twenty dropped megabytes")
    memory = psutil.Process(run.shim()[0]).memory_info().rss
    began = time.monotonic()
    assert run.ask("stop", id="1", why="user")["ok"]
    assert time.monotonic() - began < 1
    ended = run.ended()
    size = (run.directory / "log").stat().st_size
    assert 3 << 20 <= size < (3 << 20) + (1 << 19)
    assert len(run.text()) + ended.dropped_bytes == ended.stdout_bytes
    assert memory < 60 << 20
    assert run.notes()[0]["note"] == "capped"


def test_a_hundred_megabytes_without_a_newline_pass_exactly(run: Run) -> None:
    import hashlib

    code = (
        "import sys,os,hashlib,random\n"
        "block=random.Random(5).randbytes(1<<20).replace(b'\\n',b'\\0').replace(b'\\r',b'\\xff')\n"
        "h=hashlib.sha256()\n"
        "for _ in range(100): sys.stdout.buffer.write(block); h.update(block)\n"
        "print(h.hexdigest(),file=sys.stderr)"
    )
    run.python(code, log_head_bytes=200 << 20)
    ended = run.ended(60)
    assert ended.stdout_bytes == 100 << 20
    assert hashlib.sha256(run.text()).hexdigest() == run.text(STDERR).decode().strip()


def test_a_tail_without_newline_is_shown_after_a_moment_and_at_the_end(run: Run) -> None:
    run.sh("printf prompt; read a; printf 'last words'")
    run.shows(b"prompt", timeout=2)
    run.say("1", b"\n")
    run.ended()
    assert run.text() == b"promptlast words"


@pytest.fixture
def small_disk(tmp_path: Path) -> Path:
    folder = tmp_path / "small"
    folder.mkdir()
    if (
        os.geteuid() != 0
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1M", "none", folder], check=False).returncode
    ):
        pytest.skip("needs the right to mount a small disk")
    return folder


def test_a_full_disk_stops_the_agent_and_is_the_reason(small_disk: Path) -> None:
    run = Run(small_disk / "one")
    try:
        run.start("yes", cwd="/")
        ended = run.ended()
        assert ended.reason == "disk-full"
        assert ended.dropped_bytes > 0
        assert run.text().startswith(b"y\ny\n")
        assert run.members() == []
    finally:
        run.close()
        wait_until(
            lambda: subprocess.run(["umount", small_disk], check=False).returncode == 0, what="unmounting"
        )
