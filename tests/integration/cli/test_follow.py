"""Following a task: every event once, the outcome as exit code, detaching, and output that cannot do harm."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from openruntime.cli.client import Client
from openruntime.cli.follow import Follower
from shared.config import from_env
from tests.integration.cli.conftest import Cli
from tests.integration.cli.standin_api import Api
from tests.integration.cli.standins import ROOT, START
from tests.waiting import wait_until


def program(api: Api, *words: str) -> list[str]:
    return [sys.executable, "-P", "-c", START.format(app=str(ROOT)), "--data", str(api.data), *words]


@contextmanager
def running(argv: list[str], **how: Any) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(argv, **how)
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()


@contextmanager
def beside(act: Callable[[], None]) -> Iterator[None]:
    """Runs `act` in another thread while the block runs."""
    thread = threading.Thread(target=act)
    thread.start()
    yield
    thread.join(20)
    assert not thread.is_alive()


def asked_for_events(api: Api) -> int:
    return sum(1 for _, target, _ in api.asked if "/events" in target)


def test_events_come_once_and_in_order_across_a_restart_of_the_server(api: Api) -> None:
    task = api.task("aaaa1111", status="running")
    for number in range(1200):
        api.event(task, "stdout", str(number))

    def disturb() -> None:
        wait_until(lambda: asked_for_events(api) >= 2, what="the first pages")
        api.stop()
        api.event(task, "stdout", "1200")
        api.start()
        api.event(task, "lifecycle", "1201")
        task["status"] = "completed"

    client = Client(from_env({}, data=api.data))
    follower = Follower(client, task["id"])
    with beside(disturb), closing(client):
        seen = [(event["seq"], event["message"]) for event in follower]
    assert seen == [(number + 1, str(number)) for number in range(1202)]
    assert follower.task["status"] == "completed"


def test_events_stored_just_before_the_end_are_not_lost(api: Api) -> None:
    task = api.task("aaaa1111", status="running")
    api.event(task, "lifecycle", "ended")

    def end_late() -> tuple[int, Any]:
        api.event(task, "stdout", "late")
        return 200, {**task, "status": "failed"}

    api.answers["GET", f"/tasks/{task['id']}"] = end_late
    with closing(Client(from_env({}, data=api.data))) as client:
        messages = [event["message"] for event in Follower(client, task["id"])]
    assert messages == ["ended", "late"]


def test_a_server_that_stays_away_ends_it(api: Api, monkeypatch: pytest.MonkeyPatch, cli: Cli) -> None:
    monkeypatch.setattr("openruntime.cli.follow.PATIENCE_SECONDS", 0.2)
    task = api.task("aaaa1111", status="running")

    def gone() -> None:
        wait_until(lambda: asked_for_events(api) >= 1, what="the follower")
        api.stop()

    with beside(gone):
        done = cli("logs", "-f", task["id"])
    api.start()
    assert done.code == 1
    assert "`openruntime up`" in done.err


def test_logs_split_what_the_agent_wrote_from_what_happened(api: Api, cli: Cli) -> None:
    task = api.task("aaaa1111", status="completed")
    api.page = 2
    api.event(task, "diff", " a.txt | 1 +\n b.txt | 2 +\n")
    api.event(task, "stdout", "\x1b]0;evil\x07out\x1b[2J\ttab")
    api.event(task, "stderr", "\x1bPq\x1b\\err")
    api.event(task, "stdout", "\x1b[32mgreen")
    done = cli("logs", "aaaa")
    assert done.out == "out\ttab\n\x1b[32mgreen\x1b[0m\n"
    assert done.err == "·  a.txt | 1 +\n·  b.txt | 2 +\nerr\n"
    assert cli("-q", "logs", "aaaa").err == "err\n"


def test_logs_as_json_are_one_event_per_line(api: Api, cli: Cli) -> None:
    task = api.task("aaaa1111", status="completed")
    api.event(task, "stdout", "\x1b]0;evil\x07\u009b2J")
    api.event(task, "lifecycle", "ended")
    done = cli("logs", "-f", "--json", "aaaa")
    assert [json.loads(line) for line in done.out.splitlines()] == api.events[task["id"]]
    assert "\x1b" not in done.out
    assert "\u009b" not in done.out


@pytest.mark.parametrize(
    ("status", "code"), [("completed", 0), ("ready-for-review", 0), ("failed", 1), ("stopped", 1)]
)
def test_run_follow_exits_by_the_outcome(api: Api, cli: Cli, status: str, code: int) -> None:
    def finish() -> None:
        wait_until(lambda: asked_for_events(api) >= 1, what="the follower")
        task = next(iter(api.tasks.values()))
        api.event(task, "stdout", "did it")
        task["status"] = status
        api.event(task, "lifecycle", "ended")

    with beside(finish):
        done = cli("run", "--follow", "go")
    assert (done.code, done.out) == (code, "did it\n")
    assert f"Task c0ffee00 is {status}." in done.err


def test_ctrl_c_while_following_detaches_and_sends_nothing(api: Api, tmp_path: Path) -> None:
    err = tmp_path / "err"
    with err.open("wb") as sink, running(program(api, "run", "--follow", "go"), stderr=sink) as process:
        wait_until(lambda: asked_for_events(api) >= 1, what="the follower")
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
    assert "Detached; the agent goes on. See `openruntime logs -f c0ffee00`." in err.read_text()
    assert "Traceback" not in err.read_text()
    assert [target for method, target, _ in api.asked if method == "POST"] == [
        "/tasks",
        "/tasks/c0ffee00-0000-4000-8000-000000000000/start",
    ]


def test_a_reader_that_had_enough_is_not_an_error(api: Api) -> None:
    task = api.task("aaaa1111", status="completed")
    for number in range(5000):
        api.event(task, "stdout", f"{number} " + "x" * 200)
    api.page = 500
    with running(program(api, "logs", "aaaa"), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline().startswith(b"0 ")
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(10) == 0


def test_a_person_at_a_terminal_is_told_how_to_answer(api: Api) -> None:
    task = api.task("aaaa1111", status="needs-input")
    api.event(task, "lifecycle", "Waiting", category="needs-input", reason="Which \x1b[2Jport?")
    screen, terminal = pty.openpty()
    try:
        with running(program(api, "logs", "-f", "aaaa"), stderr=terminal, stdout=subprocess.DEVNULL):
            seen = b""

            def told() -> bool:
                nonlocal seen
                seen += os.read(screen, 4096)
                return b"openruntime reply aaaa1111 TEXT" in seen

            wait_until(told, what="the hint")
    finally:
        os.close(terminal)
        os.close(screen)
    assert b"The agent waits for you: Which port?" in seen
    assert b"\x1b[2J" not in seen


LOADED = """
import sys
sys.path.insert(0, {root!r})
from openruntime.cli.exits import run
run({words!r})
print(sorted({{"rich", "http.client", "peewee", "flask", "dramatiq", "pydantic", "psutil", "honcho"}} & set(sys.modules)))
"""


@pytest.mark.parametrize(("words", "loaded"), [(["--help"], "[]"), (["ps", "--help"], "[]")])
def test_a_simple_start_loads_nothing_heavy(words: list[str], loaded: str) -> None:
    code = LOADED.format(root=str(ROOT), words=words)
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=30)
    assert done.stdout.splitlines()[-1] == loaded
