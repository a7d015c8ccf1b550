"""`up` keeps its processes alive and ends them in order (contract 2), with stand-ins for web and worker."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from openruntime.cli.children import Child
from openruntime.cli.procfile import Entry
from tests.integration.cli.standins import KINDS, ROOT, Application, Up, lives
from tests.waiting import wait_until


@pytest.fixture
def application(short_dir: Path) -> Iterator[Application]:
    application = Application(short_dir)
    yield application
    application.end()


def gone(application: Application, *kinds: str) -> bool:
    return not any(lives(pid) for kind in kinds for pid in application.pids(kind))


def test_one_line_carries_the_sign_in_link(application: Application) -> None:
    with application.up() as up:
        up.ready()
        wait_until(lambda: "worker |" in up.out, what="the worker's line")
        links = [line for line in up.out.splitlines() if "#token=" in line]
        assert links == [f"openRuntime is running; sign in: {application.url()}/login#token=once"]
        assert application.journal().count("link") == 1


def test_output_is_prefixed_and_cannot_steer_the_terminal(application: Application) -> None:
    with application.up() as up:
        wait_until(lambda: "ready" in up.out, 20, what="the worker's line")
        line = next(line for line in up.out.splitlines() if "ready" in line)
        assert "worker | worker \x1b[31mready\x1b[0m" in line
        assert "evil" not in up.out


def test_quiet_prints_the_link_only(application: Application) -> None:
    with application.up("-q") as up:
        up.ready()
        assert len(up.out.splitlines()) == 1


def test_json_prints_the_link_as_json_only(application: Application) -> None:
    with application.up("--json") as up:
        up.ready()
        assert up.out == f'{{"url": "{application.url()}/login#token=once"}}\n'


def test_what_a_dead_process_left_of_its_group_is_ended_before_the_restart(application: Application) -> None:
    with application.up() as up:
        up.ready()
        os.kill(application.pids("web")[0], signal.SIGKILL)
        wait_until(lambda: len(application.pids("web")) == 2, what="a second web")
        assert not lives(application.pids("helper")[0])
        assert lives(application.pids("agent")[0])


@pytest.mark.parametrize("kind", ["web", "worker"])
def test_a_dead_process_is_started_again(application: Application, kind: str) -> None:
    with application.up() as up:
        up.ready()
        os.kill(application.pids(kind)[-1], signal.SIGKILL)
        wait_until(lambda: len(application.pids(kind)) == 2, what=f"a second {kind}")
        assert f"{kind} died (killed by SIGKILL); starting it again." in up.err
        assert up.process.poll() is None


def test_five_deaths_within_a_minute_end_it_with_the_last_words_shown_even_when_quiet(
    application: Application,
) -> None:
    application.mode("crash")
    with application.up("-q") as up:
        assert up.ended() == 1
        assert len(application.pids("worker")) == 5
        said = "worker died 5 times within a minute (last: exit status 3), so openRuntime ends."
        assert up.err.splitlines()[-1] == said
        assert "worker: no such thing" in up.err
        assert "web SIGTERM" in application.journal()
        assert gone(application, "web", "worker")


def test_ctrl_c_stops_agents_first_and_leaves_no_process(application: Application) -> None:
    with application.up() as up:
        up.ready()
        up.signal(signal.SIGINT)
        assert up.ended() == 130
        journal = application.journal()
        assert journal.index("worker SIGINT") < journal.index("web SIGTERM")
        assert "web SIGINT" not in journal
        assert gone(application, *KINDS)


def test_a_second_ctrl_c_kills_at_once_agents_included(application: Application) -> None:
    application.mode("stubborn")
    with application.up() as up:
        up.ready()
        up.signal(signal.SIGINT)
        wait_until(lambda: "worker SIGINT" in application.journal(), what="the worker's signal")
        assert up.process.poll() is None
        up.signal(signal.SIGINT)
        assert up.ended(5) == 130
        assert gone(application, *KINDS)
        assert "web SIGTERM" not in application.journal()


def test_sigterm_ends_the_processes_and_leaves_agents_running(application: Application) -> None:
    with application.up() as up:
        up.ready()
        up.signal(signal.SIGTERM)
        assert up.ended() == 0
        assert {"worker SIGTERM", "web SIGTERM"} <= set(application.journal())
        assert gone(application, "web", "worker")
        assert lives(application.pids("agent")[0])


@pytest.fixture
def _terminal() -> Iterator[None]:
    """SIGHUP as a terminal's programs find it, also where the suite itself runs under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("_terminal")
def test_a_closed_terminal_counts_as_sigterm(application: Application) -> None:
    with application.up() as up:
        up.ready()
        up.signal(signal.SIGHUP)
        assert up.ended() == 0
        assert lives(application.pids("agent")[0])


def test_a_killed_up_takes_its_processes_along(application: Application) -> None:
    with application.up("--workers", "2") as up:
        up.ready()
        wait_until(lambda: len(application.pids("worker")) == 2, what="both workers")
        up.signal(signal.SIGKILL)
        wait_until(lambda: gone(application, "web", "worker"), 5, what="the processes to notice")


def test_after_a_kill_it_can_be_started_again_at_once(application: Application) -> None:
    with application.up() as first:
        first.ready()
        port = application.url().rpartition(":")[2]
        first.signal(signal.SIGKILL)
        first.process.wait(10)
        with application.up(port=port) as second:
            second.ready()


def test_nohup_is_respected(application: Application) -> None:
    argv = ["/bin/sh", "-c", 'trap "" HUP; exec "$@"', "sh", *application.argv("up", "--port", "0")]
    with Up(application, argv) as up:
        up.ready()
        up.signal(signal.SIGHUP)
        os.kill(application.pids("worker")[0], signal.SIGKILL)
        wait_until(lambda: len(application.pids("worker")) == 2, what="a second worker")


def test_a_reader_that_had_enough_does_not_end_the_processes(application: Application) -> None:
    argv = ["/bin/sh", "-c", '"$@" | head -n 1', "sh", *application.argv("up", "--port", "0")]
    with Up(application, argv) as up:
        wait_until(lambda: application.pids("agent") and up.out, 20, what="a line")
        os.kill(application.pids("worker")[0], signal.SIGKILL)
        wait_until(lambda: len(application.pids("worker")) == 2, what="a second worker")
        os.kill(int(Path(f"/proc/{application.pids('web')[0]}/stat").read_text().split()[3]), signal.SIGINT)
        up.process.wait(20)
        assert gone(application, *KINDS)


def test_workers_are_numbered_when_there_are_several(application: Application) -> None:
    with application.up("--workers", "2") as up:
        wait_until(lambda: "worker.1 |" in up.out and "worker.2 |" in up.out, 20, what="two workers")


def test_a_second_instance_is_refused(application: Application) -> None:
    with application.up() as up:
        up.ready()
        done = subprocess.run(
            application.argv("up", "--port", "0"), capture_output=True, text=True, timeout=30
        )
        assert done.returncode == 1
        assert f"is already served by {application.url()}" in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert up.process.poll() is None


def test_a_server_started_alone_refuses_up(application: Application) -> None:
    import fcntl

    with (application.data / "instance.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(
            application.argv("up", "--port", "0", impatient=True), capture_output=True, text=True, timeout=30
        )
    assert done.returncode == 1
    assert "is already served by" in done.stderr


def test_a_host_others_can_reach_is_refused_without_a_proxy(application: Application) -> None:
    done = subprocess.run(
        application.argv("up", "--host", "0.0.0.0"), capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 2
    assert "--behind-proxy" in done.stderr
    assert application.journal() == []


def test_a_taken_port_is_refused_in_one_sentence(application: Application) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        done = subprocess.run(
            application.argv("up", "--port", port, impatient=True), capture_output=True, text=True, timeout=30
        )
    assert done.returncode == 1
    assert done.stderr == f"Port {port} is used by another program; choose one with --port.\n"


def test_a_hostile_current_folder_is_not_imported(application: Application, tmp_path: Path) -> None:
    for name in ("web", "workers", "shared", "click", "json", "honcho"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('hijacked')")
    with application.up(cwd=tmp_path) as up:
        up.ready()
        assert "hijacked" not in up.out + up.err


LADDER = """
import sys
sys.path.insert(0, {root!r})
from openruntime.cli.foreground import Foreground, Grace
from openruntime.cli.printing import Printer
from openruntime.cli.procfile import Entry
ignores = "import signal, time; [signal.signal(n, signal.SIG_IGN) for n in (2, 15)]; print('ready', flush=True); time.sleep(600)"
entries = [Entry(kind, kind, (sys.executable, "-c", ignores)) for kind in ("web", "worker")]
print(Foreground(entries, {{}}, Printer(["web", "worker"]), sweep=lambda: print("swept"),
                 grace=Grace(interrupt_seconds=0.3, terminate_seconds=0.3)).run())
"""


@pytest.mark.parametrize(("number", "last"), [(signal.SIGINT, "swept\n130\n"), (signal.SIGTERM, "0\n")])
def test_processes_that_ignore_signals_are_killed_when_their_time_is_up(
    tmp_path: Path, number: signal.Signals, last: str
) -> None:
    written = tmp_path / "out"
    with written.open("w") as out:
        process = subprocess.Popen([sys.executable, "-c", LADDER.format(root=str(ROOT))], stdout=out)
    try:
        wait_until(lambda: written.read_text().count("ready") == 2, what="both processes")
        process.send_signal(number)
        process.wait(10)
    finally:
        process.kill()
        process.wait(10)
    assert written.read_text().endswith(last)


def test_a_signal_to_a_process_that_has_just_died_does_not_take_its_burial_away() -> None:
    child = Child(Entry("worker", "worker", ("/bin/true",)), {})
    child.start()
    assert child._process is not None
    dead = psutil.Process(child._process.pid)
    wait_until(lambda: dead.status() == psutil.STATUS_ZOMBIE, what="its death")
    child.signal(signal.SIGTERM)
    assert child.buried(0.0) is not None
    assert child.ended == "exit status 0"
