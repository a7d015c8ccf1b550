"""The start handshake: delivered twice or killed anywhere, there is at most one agent, and never none by mistake."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from shared.errors import AgentLost
from tests.integration.attempts.driver import Run
from tests.waiting import wait_until
from workers.attempts import process
from workers.shim import proc

CRASHING_STARTER = """
import os, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from workers.attempts import process
directory, when = Path(sys.argv[2]), sys.argv[3]
launch = process.Launch("crash-test", ["/bin/sh", "-c", "echo ran >> ran; exec sleep 300"], dict(os.environ), sys.argv[4])
def commit(identity):
    if when == "commit":
        os.kill(os.getpid(), 9)
    return True
if when == "go":
    real = process._Leash.send
    def send(self, data):
        real(self, data)
        if data == b"go\\n":
            os.kill(os.getpid(), 9)
    process._Leash.send = send
process.start(directory, launch, commit)
"""
ROOT = Path(__file__).parents[3]


def crash(run: Run, when: str, place: Path) -> None:
    argv = [sys.executable, "-c", CRASHING_STARTER, str(ROOT), str(run.directory), when, str(place)]
    done = subprocess.run(argv, check=False, env={"PATH": os.environ["PATH"]})
    assert done.returncode == -signal.SIGKILL
    run.attempt_id = "crash-test"


def test_an_agent_s_output_and_exit_code_are_recorded(run: Run) -> None:
    ended = run.sh("echo out; echo err >&2; exit 3").ended()
    assert (run.text(), run.text(2)) == (b"out\n", b"err\n")
    assert (ended.code, ended.signal, ended.reason, ended.exec_error) == (3, None, None, None)
    assert ended.stdout_bytes == ended.stderr_bytes == 4
    assert ended.started_at <= ended.ended_at
    assert (run.directory / "shim.err").read_text() == ""
    assert not (run.directory / "control.sock").exists()


def test_the_identity_is_committed_before_the_agent_starts(run: Run, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    seen = []

    def commit(identity: process.Identity) -> bool:
        seen.append((identity, marker.exists(), run.state))
        return True

    assert process.start(run.directory, run.launch("/bin/sh", "-c", f"touch {marker}"), commit)
    run.ended()
    assert seen == [(process.read_identity(run.directory), False, "starting")]
    assert marker.exists()
    assert seen[0][0].boot_id == proc.boot_id()


def test_a_refused_commit_starts_nothing_and_starting_again_works(run: Run, tmp_path: Path) -> None:
    launch = run.launch("/bin/sh", "-c", "echo ran >> ran", cwd=str(tmp_path))
    assert process.start(run.directory, launch, lambda _: False) is False
    assert run.state == "absent"
    with pytest.raises(ZeroDivisionError):
        process.start(run.directory, launch, lambda _: bool(1 / 0))
    assert run.state == "absent"
    assert run.members() == []
    assert process.start(run.directory, launch, lambda _: True)
    run.ended()
    assert (tmp_path / "ran").read_text() == "ran\n"


def test_a_starter_killed_before_go_leaves_nothing_and_starting_again_works(run: Run, tmp_path: Path) -> None:
    crash(run, "commit", tmp_path)
    wait_until(lambda: run.state == "absent", what="the shim to let go")
    assert not (tmp_path / "ran").exists()
    run.sh("true").ended()


def test_a_starter_killed_after_go_leaves_one_agent_to_attach_to(run: Run, tmp_path: Path) -> None:
    crash(run, "go", tmp_path)
    wait_until((tmp_path / "ran").exists, what="the agent to run")
    assert run.state == "alive"
    assert process.start(run.directory, run.launch("false"), lambda _: False), "it runs already"
    assert run.ask("status")["running"]
    assert run.ask("stop", id="s", why="user")["ok"]
    assert run.ended().reason == "user"
    assert (tmp_path / "ran").read_text() == "ran\n"


def test_an_attempt_that_has_ended_is_not_run_again(run: Run, tmp_path: Path) -> None:
    run.sh("echo ran >> ran", cwd=str(tmp_path)).ended()
    assert process.start(run.directory, run.launch("/bin/sh", "-c", "echo ran >> ran"), lambda _: True)
    assert (tmp_path / "ran").read_text() == "ran\n"


def test_an_attempt_that_was_lost_is_not_run_again(run: Run) -> None:
    run.sh("sleep 300")
    run.kill_shim()
    process.sweep(run.attempt_id)
    wait_until(lambda: run.state == "lost", what="the lock to be free")
    with pytest.raises(AgentLost, match="run before"):
        run.sh("true")


def test_of_two_starters_at_once_one_wins_and_one_agent_runs(run: Run, tmp_path: Path) -> None:
    commits: list[process.Identity] = []
    launch = run.launch("/bin/sh", "-c", "echo ran >> ran; sleep 300", cwd=str(tmp_path))

    def commit(identity: process.Identity) -> bool:
        commits.append(identity)
        return True

    starters = [
        threading.Thread(target=process.start, args=(run.directory, launch, commit)) for _ in range(4)
    ]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join()
    assert len(commits) == 1
    run.ask("stop", id="1", why="user", ladder=[])
    run.ended()
    assert (tmp_path / "ran").read_text() == "ran\n"


def test_an_agent_started_from_a_thread_that_ends_lives_on(run: Run) -> None:
    thread = threading.Thread(target=run.sh, args=("read line; echo got $line",))
    thread.start()
    thread.join()
    assert run.say("1", b"hello\n")["ok"]
    run.ended()
    assert run.text() == b"got hello\n"


def test_a_missing_program_or_folder_is_an_exit_record_with_the_reason(run: Run, tmp_path: Path) -> None:
    ended = run.start("/no/such/program").ended()
    assert ended.exec_error == "/no/such/program: No such file or directory."
    assert (ended.code, ended.signal) == (None, None)
    other = Run(tmp_path / "two")
    assert (
        other.start("/bin/true", cwd="/no/such/folder").ended().exec_error
        == "/no/such/folder: No such file or directory."
    )


def test_a_shim_that_cannot_come_up_says_why(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("raise SystemExit('no luck today')")
    monkeypatch.setattr(process, "SHIM", broken)
    with pytest.raises(AgentLost, match="no luck today"):
        run.sh("true")
    assert run.state == "absent"


def test_no_secret_is_ever_in_a_file_of_the_attempt(run: Run) -> None:
    secret = "hunter2hunter2"
    run.sh(
        "echo $S; cat; echo $S >&2; exit 0",
        env={"PATH": os.environ["PATH"], "S": secret},
        secrets={"S": secret},
        first_input=f"typed {secret}\n".encode(),
        close_input_after_first=True,
    ).ended()
    assert run.text() == b"[redacted]\ntyped [redacted]\n"
    assert run.text(0) == b"typed [redacted]\n"
    for path in run.directory.iterdir():
        assert secret.encode() not in path.read_bytes(), path
    assert oct(run.directory.stat().st_mode & 0o777) == "0o700"
    assert {path.stat().st_mode & 0o077 for path in run.directory.iterdir()} == {0}


def test_the_agent_gets_its_own_environment_and_ordinary_signals(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GIT_DIR", "LD_PRELOAD_X", "HTTP_PROXY", "SSH_AUTH_SOCK", "PYTHONPATH"):
        monkeypatch.setenv(name, "from the worker")
    code = (
        "import os,signal,json,resource;print(json.dumps([dict(os.environ),[int(signal.getsignal(s)) for s in"
        "(signal.SIGTERM,signal.SIGHUP)],resource.getrlimit(resource.RLIMIT_CORE)[0],os.getsid(0)==os.getpid()]))"
    )
    run.python(code, env={"PATH": "/usr/bin:/bin", "A": "1"}).ended()
    environment, dispositions, core, leads = json.loads(run.text())
    environment.pop("LC_CTYPE", None)
    assert environment == {"PATH": "/usr/bin:/bin", "A": "1", "OPENRUNTIME_ATTEMPT_ID": run.attempt_id}
    assert (dispositions, core, leads) == ([0, 0], 0, True)


def test_an_attempt_directory_with_a_very_long_path_works(run: Run, tmp_path: Path) -> None:
    run.directory = tmp_path / ("long-" * 30) / ("name-" * 30)
    run.sh("read a; echo got $a")
    run.say("1", b"it\n")
    run.ended()
    assert run.text() == b"got it\n"
